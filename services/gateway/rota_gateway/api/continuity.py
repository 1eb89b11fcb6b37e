"""What runs of a job know of those before them."""

from uuid import UUID

from fastapi import APIRouter

from rota_gateway.edge.unit import ApiRoute, CurrentUnit
from rota_gateway.repository import access, continuity

router = APIRouter(tags=["jobs"], route_class=ApiRoute)


@router.post("/jobs/{job_id}/continuity/reset", status_code=204)
async def reset_continuity(job_id: UUID, unit: CurrentUnit) -> None:
    """The next run begins anew: it is told nothing of those that began before now."""
    context_id = await access.require_for_job(unit.connection, job_id, "write")
    await continuity.reset(unit.connection, job_id, context_id)
