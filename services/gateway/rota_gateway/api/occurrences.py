"""The ledger of a job."""

import contextlib
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import Field

from rota_gateway.api.answers import Answer, Disposition, Instant, State
from rota_gateway.api.schedule_fields import Moment
from rota_gateway.domain.schedules import schedule_of
from rota_gateway.domain.why import Case, answer, covering, last_due
from rota_gateway.edge.paging import CurrentPaging, Page
from rota_gateway.edge.unit import ApiRoute, CurrentUnit, Unit
from rota_gateway.errors import NotFoundError
from rota_gateway.repository import access, clock, jobs, occurrences, revisions
from rota_gateway.repository.connection import Row
from rota_schedule import ScheduleError

router = APIRouter(tags=["jobs"], route_class=ApiRoute)

Trigger = Literal["schedule", "manual", "backfill", "dry_run"]


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


class Why(Answer):
    instant: Instant
    answer: str = Field(description="a sentence")
    occurrence: Occurrence | None


@router.get("/jobs/{job_id}/why")
async def explain(job_id: UUID, unit: CurrentUnit, at: Moment | None = None) -> Why:
    """Why a run did or did not happen at an instant; without one, at the latest that was due."""
    await access.require_for_job(unit.connection, job_id, "read")
    job = await jobs.get(unit.connection, job_id)
    if job is None:
        raise NotFoundError("job")
    now = await clock.now(unit.connection)
    instant = (at or await _latest(unit, job, now)).replace(microsecond=0)
    found = await occurrences.around(unit.connection, job_id, instant)
    case = Case(
        job=job,
        revisions=await revisions.of_job(unit.connection, job_id),
        rows=found,
        ledger_since=await occurrences.since(unit.connection),
        now=now,
    )
    rows = covering(case, instant)
    shown = Occurrence.model_validate(rows[0]) if rows else None
    return Why(instant=instant, answer=answer(case, instant), occurrence=shown)


async def _latest(unit: Unit, job: Row, now: datetime) -> datetime:
    """The last instant that the ledger knows or that has been due since; else the last run asked for."""
    known = [await occurrences.latest(unit.connection, job["id"], "schedule")]
    with contextlib.suppress(ScheduleError):
        known.append(last_due(schedule_of(job), now))
    # What was due before the job existed is of no interest.
    due = max((one for one in known if one is not None and one > job["created_at"]), default=None)
    return due or await occurrences.latest(unit.connection, job["id"], "manual", "backfill") or now
