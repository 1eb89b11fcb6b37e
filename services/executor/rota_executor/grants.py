"""Whether a person has allowed a call for good: looked up afresh for each call, and counted."""

from collections.abc import Mapping
from typing import Any

from rota_chassis import logs
from rota_contracts.grants import prompt_hash, tool_hash
from rota_contracts.tools import ToolDescription
from rota_executor.attempt import Attempt
from rota_executor.domain import ids
from rota_executor.repository.grants import Bound, Grants, Use

log = logs.logger(__name__)


async def is_granted(
    grants: Grants, attempt: Attempt, tool: ToolDescription, arguments: Mapping[str, Any], call_id: str
) -> bool:
    """Takes a use of a grant that covers the call, where there is one; whether it did.

    When that cannot be found out a person is asked: nothing is allowed by mistake.
    """
    bound = _bound(attempt, tool)
    if bound is None:
        return False
    try:
        for grant_id, pattern in await grants.found(bound):
            if pattern.covers(arguments) and await grants.take(grant_id, Use(*attempt.key, call_id)):
                log.info(
                    "a grant covers a call",
                    action="granted",
                    tool=tool.name,
                    grant_id=str(grant_id),
                    **ids(attempt.event),
                )
                return True
    except Exception as error:  # noqa: BLE001  whatever it is, asking is safe
        log.warning("grants cannot be read", action="grants_unknown", error=repr(error), **ids(attempt.event))
    return False


async def is_covered(
    grants: Grants, attempt: Attempt, tool: ToolDescription, arguments: Mapping[str, Any]
) -> bool:
    """The same of a call that is not made: no use is taken."""
    bound = _bound(attempt, tool)
    return bound is not None and any(pattern.covers(arguments) for _, pattern in await grants.found(bound))


def _bound(attempt: Attempt, tool: ToolDescription) -> Bound | None:
    """None where no grant can be meant: for a run that was told more than the job's prompt."""
    event, record = attempt.event, attempt.record
    if event.prompt_context or record.agent_id is None or record.agent_revision is None:
        return None
    return Bound(
        event.job_id,
        prompt_hash(event.job.skill_prompt),
        record.agent_id,
        record.agent_revision,
        tool.name,
        tool_hash(tool),
    )
