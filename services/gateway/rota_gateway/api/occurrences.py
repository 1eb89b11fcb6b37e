"""The ledger of a job."""

from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query

from rota_gateway.api.answers import Answer, Disposition, Instant, State
from rota_gateway.api.schedule_fields import Moment
from rota_gateway.edge.paging import CurrentPaging, Page
from rota_gateway.edge.unit import ApiRoute, CurrentUnit
from rota_gateway.repository import access, occurrences

router = APIRouter(tags=["jobs"], route_class=ApiRoute)

Trigger = Literal["schedule", "manual", "backfill"]


class Occurrence(Answer):
    """A due instant, or a range of them: `instants` so many, from `scheduled_for` to `last_instant`."""

    run_id: UUID
    job_id: UUID
    context_id: UUID
    scheduled_for: Instant
    effective_at: Instant
    trigger: Trigger
    state: State
    disposition: Disposition | None
    reason_code: str | None
    reason: str | None
    instants: int
    last_instant: Instant | None
    coalesced_into: UUID | None
    stands_for: int
    first_instant: Instant | None
    attempt: int
    priority: int
    requested_by: UUID | None
    created_at: Instant
    dispatched_at: Instant | None
    started_at: Instant | None
    closed_at: Instant | None


@router.get("/jobs/{job_id}/occurrences")
async def list_occurrences(
    job_id: UUID,
    unit: CurrentUnit,
    paging: CurrentPaging,
    disposition: Disposition | None = None,
    trigger: Trigger | None = None,
    since: Annotated[Moment | None, Query(alias="from", description="ranges that reach into it too")] = None,
    until: Moment | None = None,
) -> Page[Occurrence]:
    """The ledger of the job, the latest instant first."""
    await access.require_for_job(unit.connection, job_id, "read")
    filters: dict[str, Any] = {
        "disposition": disposition,
        "trigger": trigger,
        "since": since,
        "until": until,
    }
    found = await occurrences.page_of_job(unit.connection, job_id, paging.after, paging.fetch, **filters)
    return paging.page(found, Occurrence.model_validate, key=("scheduled_for", "run_id"))
