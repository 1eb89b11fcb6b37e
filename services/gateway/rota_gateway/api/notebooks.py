from uuid import UUID

from fastapi import APIRouter

from rota_gateway.api.answers import Answer, Instant
from rota_gateway.edge.paging import Page
from rota_gateway.edge.unit import ApiRoute, CurrentUnit
from rota_gateway.repository import access, notebooks

router = APIRouter(tags=["jobs"], route_class=ApiRoute)


class Note(Answer):
    key: str
    value: str
    run_id: UUID
    updated_at: Instant


@router.get("/jobs/{job_id}/notebook")
async def get_notebook(job_id: UUID, unit: CurrentUnit) -> Page[Note]:
    """What runs of the job noted for those after them, with the tool job_notebook_write."""
    await access.require_for_job(unit.connection, job_id, "read")
    found = await notebooks.of_job(unit.connection, job_id)
    return Page(items=[Note.model_validate(one) for one in found], next_cursor=None)


@router.delete("/jobs/{job_id}/notebook", status_code=204)
async def clear_notebook(job_id: UUID, unit: CurrentUnit) -> None:
    """The next run begins with an empty one."""
    await access.require_for_job(unit.connection, job_id, "write")
    await notebooks.clear(unit.connection, job_id)
