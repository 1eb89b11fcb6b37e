"""The daily report that a person gets without asking for it."""

from uuid import UUID

from rota_gateway.api import jobs as jobs_api
from rota_gateway.api.job_answers import Job
from rota_gateway.api.job_fields import JobInput
from rota_gateway.edge.unit import Unit
from rota_gateway.repository import jobs

NAME = "Heartbeat"
SCHEDULE = "0 7 * * *"
PROMPT = (
    "Say good morning in one sentence. Then report what the person should know today: how the machine and "
    "Rota's services are, and whatever else your tools can tell. What needs attention comes first; "
    "if nothing does, say so."
)


async def ensure_heartbeat(unit: Unit, context_id: UUID, timezone: str) -> Job:
    """The heartbeat of the caller in that context, daily at 07:00 in their zone; made where there is none.

    One that is there stays as it is, whatever was changed in it.

    Raises:
        InvalidError: there is no such time zone.
        ForbiddenError: the caller may not make jobs in the context.

    """
    # In a context that several people share each has one.
    names = [NAME, f"{NAME} {unit.caller.id.hex[:8]}"]
    known = await jobs.owners(unit.connection, context_id, names)
    for job_id, owner_id in known.values():
        if owner_id == unit.caller.id:
            return await jobs_api.get_job(job_id, unit)
    definition = JobInput(
        name=next(name for name in names if name not in known),
        description="Daily at seven, what there is to know.",
        cron_expression=SCHEDULE,
        timezone=timezone,
        skill_prompt=PROMPT,
    )
    return await jobs_api.create_job(context_id, definition, unit)
