"""An attempt after one that was interrupted: whether it may begin, and what it must not do again."""

from rota_contracts.events import JobDue
from rota_executor.domain import interrupted_message
from rota_executor.errors import InterruptedRunError
from rota_executor.repository.effects import Effects
from rota_executor.settled import Settled


async def settled_before(effects: Effects, event: JobDue) -> Settled:
    """What the run has done already, in attempts that a person let it go on from.

    Raises:
        InterruptedRunError: an earlier attempt had begun to write, and no person has said what became of it.

    """
    resumes = event.resumes or 0
    if event.attempt <= resumes + 1:
        return Settled()
    earlier = await effects.earlier(event.run_id, attempt=event.attempt, resumes=resumes)
    if unclear := [(one.tool_name, one.state) for one in earlier if one.is_open]:
        raise InterruptedRunError(interrupted_message(unclear))
    return Settled((one.tool_name, one.arguments) for one in earlier if one.took_effect)
