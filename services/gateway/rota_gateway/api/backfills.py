"""Making up for the past, and ending what is on its way."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Body
from pydantic import Field

from rota_contracts.events import RunCancel, RunRequested
from rota_contracts.ids import backfill_run_id_for
from rota_gateway.api.answers import Answer
from rota_gateway.api.fields import Description, Input
from rota_gateway.api.schedule_fields import Moment
from rota_gateway.domain.backfills import BackfillError, backfilled
from rota_gateway.edge.unit import ApiRoute, CurrentUnit
from rota_gateway.errors import ConflictError, FieldError, InvalidError, NotFoundError
from rota_gateway.repository import access, clock, jobs, requests

router = APIRouter(tags=["runs"], route_class=ApiRoute)


class Backfill(Input):
    start: Moment
    end: Moment
    overlap_policy: Literal["allow", "queue", "skip"] = "queue"
    reprocess: Literal["none", "failed", "all"] = Field(
        default="none",
        description="of instants that ran already: run none of them again, those that failed, or all",
    )


class RunsAccepted(Answer):
    run_ids: list[UUID]
    left_out: int = Field(description="instants that ran already, and are not run again")


class Cancellation(Input):
    reason: Description = ""


class CancelAccepted(Answer):
    run_id: UUID


@router.post("/jobs/{job_id}/backfill", status_code=202)
async def backfill_job(job_id: UUID, asked: Backfill, unit: CurrentUnit) -> RunsAccepted:
    """Runs each instant from `start` to `end` that is due by the definition as it is now, once ever.

    An instant that was asked for before keeps its run: the answer names it again. What ran on schedule is
    left out unless `reprocess` says otherwise. Runs also while the job is paused.
    """
    context_id = await access.require_for_job(unit.connection, job_id, "write")
    job = await jobs.lock(unit.connection, job_id)
    try:
        instants = backfilled(job, asked.start, asked.end, await clock.now(unit.connection))
    except BackfillError as error:
        raise InvalidError([FieldError(error.field, error.reason)]) from error
    left_out: set[datetime] = set()
    if asked.reprocess != "all":
        left_out = await requests.ran_on_schedule(
            unit.connection, job_id, instants, or_failed=asked.reprocess == "none"
        )
        instants = [instant for instant in instants if instant not in left_out]
    run_ids = [backfill_run_id_for(job_id, instant) for instant in instants]
    added = await requests.add_backfills(
        unit.connection,
        dict(zip(run_ids, instants, strict=True)),
        job_id=job_id,
        context_id=context_id,
        user_id=unit.caller.id,
        overlap_policy=asked.overlap_policy,
    )
    if added:
        # One is enough: who hears of it looks for all.
        unit.events.append(
            RunRequested(context_id=context_id, job_id=job_id, run_id=added[0], requested_by=unit.caller.id)
        )
    return RunsAccepted(run_ids=run_ids, left_out=len(left_out))


@router.post("/runs/{run_id}/cancel", status_code=202)
async def cancel_run(
    run_id: UUID, unit: CurrentUnit, asked: Annotated[Cancellation | None, Body()] = None
) -> CancelAccepted:
    """What waits is closed; what runs is asked to stop, and its result says who wanted that."""
    run = await requests.find_run(unit.connection, run_id)
    if run is None:
        raise NotFoundError("run")
    await access.require(unit.connection, run["context_id"], "write")
    if run["has_ended"]:
        raise ConflictError(f"The run has ended{_how(run)}; there is nothing to cancel.")
    caller = unit.caller
    reason = f"cancelled by {caller.display_name or caller.email}"
    if asked and asked.reason.strip():
        reason += f": {asked.reason.strip()}"
    whose = {name: run[name] for name in ("context_id", "job_id")}
    await requests.add_cancellation(
        unit.connection,
        run_id=run_id,
        scheduled_for=run["scheduled_for"],
        user_id=caller.id,
        reason=reason,
        **whose,
    )
    unit.hints.append(RunCancel(run_id=run_id, requested_by=caller.id, **whose))
    return CancelAccepted(run_id=run_id)


def _how(run: dict[str, Any]) -> str:
    if run["disposition"] in {None, "ran"}:
        return ""
    return f" ({run['disposition']}: {run['reason']})"
