from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID, uuid4

from fastapi import APIRouter, Body
from pydantic import Field

from rota_contracts.events import RunRequested
from rota_gateway.api.answers import Answer
from rota_gateway.api.fields import Description, Input, PromptContext
from rota_gateway.api.job_answers import Job, change_of, shown
from rota_gateway.api.job_checks import calendar_dates, checked, surroundings
from rota_gateway.api.job_fields import JobInput, JobPatch
from rota_gateway.domain.checks import Problem
from rota_gateway.domain.jobs import TICKER, is_paused, pause, upcoming
from rota_gateway.domain.schedules import MOMENT
from rota_gateway.edge.paging import CurrentPaging, Page
from rota_gateway.edge.unit import ApiRoute, CurrentUnit, Unit
from rota_gateway.errors import ConflictError, FieldError, InvalidError, NotFoundError
from rota_gateway.repository import access, clock, jobs
from rota_gateway.repository.connection import Row

router = APIRouter(tags=["jobs"], route_class=ApiRoute)

DEFINITION = tuple(JobInput.model_fields)
MAX_SKIPPED = 100


class Toggle(Input):
    is_enabled: bool | None = Field(default=None, description="without it the job is switched over")
    reason: Description | None = None
    catch_up: Literal["none", "latest", "all"] = Field(
        default="none", description="what becomes of the instants of the pause that ends"
    )


class RunInput(Input):
    prompt_context: PromptContext = Field(
        default="", description="told to the agent in this one run, after the prompt of the job"
    )


class RunAccepted(Answer):
    run_id: UUID


@router.get("/contexts/{context_id}/jobs")
async def list_jobs_of_context(context_id: UUID, unit: CurrentUnit, paging: CurrentPaging) -> Page[Job]:
    await access.require(unit.connection, context_id, "read")
    found = await jobs.page_of_context(unit.connection, context_id, paging.after, paging.fetch)
    return paging.page(found, shown)


@router.get("/jobs")
async def list_jobs(unit: CurrentUnit, paging: CurrentPaging) -> Page[Job]:
    """The jobs of all your contexts, the next to run first."""
    found = await jobs.page_by_next_run(unit.connection, paging.after, paging.fetch)
    return paging.page(found, shown, key=("sort_key", "id"))


@router.post("/contexts/{context_id}/jobs", status_code=201)
async def create_job(context_id: UUID, definition: JobInput, unit: CurrentUnit) -> Job:
    await access.require(unit.connection, context_id, "write")
    values = definition.model_dump()
    if problem := agent_beside_tool(values, definition.model_fields_set):
        raise InvalidError([FieldError(*problem)])
    around = await surroundings(unit.connection, context_id, [values])
    checked(as_created(values, around.now), around, DEFINITION)
    derived = {
        "calendar_dates": calendar_dates(values, around),
        "context_id": context_id,
        "owner_id": unit.caller.id,
    }
    return await _changed(unit, await jobs.add(unit.connection, {**values, **derived}), "created")


def as_created(values: dict[str, Any], now: datetime) -> dict[str, Any]:
    """What it will be once it is stored."""
    return {**values, "created_at": now}


def agent_beside_tool(values: dict[str, Any], sent: set[str]) -> Problem | None:
    """A job calls a tool or runs an agent; who says both at once is mistaken about one."""
    if values.get("tool") is not None and "agent_name" in sent:
        return Problem("agent_name", "is not asked when the job calls a tool: leave one of the two out")
    return None


@router.get("/jobs/{job_id}")
async def get_job(job_id: UUID, unit: CurrentUnit) -> Job:
    return shown(await _row(unit, job_id))


@router.patch("/jobs/{job_id}")
async def update_job(job_id: UUID, patch: JobPatch, unit: CurrentUnit) -> Job:
    context_id = await access.require_for_job(unit.connection, job_id, "write")
    sent = patch.model_dump(exclude_unset=True)
    # Calendars are held before jobs by everybody: who changes one goes on to the jobs that name it.
    around = await surroundings(unit.connection, context_id, [sent])
    stored = await jobs.lock(unit.connection, job_id)
    if problem := agent_beside_tool(sent, set(sent)):
        raise InvalidError([FieldError(*problem)])
    changes = {field: value for field, value in sent.items() if value != stored[field]}
    definition = {**stored, **changes}
    checked(definition, around, changes)
    if "calendars" in changes:
        changes["calendar_dates"] = calendar_dates(definition, around)
    job = await _row(unit, job_id)
    if sent.get("is_enabled") and job["is_paused_by_ticker"]:
        changes["is_enabled"] = True
    if "paused_until" in changes:
        changes["resume_catch_up"] = "none"
    if "is_enabled" in changes:
        changes |= _switch(changes["is_enabled"], unit, job, await clock.now(unit.connection))
    return await _update(unit, job_id, changes)


@router.post("/jobs/{job_id}/toggle")
async def toggle_job(job_id: UUID, unit: CurrentUnit, toggle: Annotated[Toggle | None, Body()] = None) -> Job:
    """Pauses or enables. Enabling also ends a pause that the ticker ordered, and one until an instant."""
    await access.require_for_job(unit.connection, job_id, "write")
    await jobs.lock(unit.connection, job_id)
    job, now = await _row(unit, job_id), await clock.now(unit.connection)
    asked = toggle or Toggle()
    stands_still = is_paused(job, now)
    wanted = stands_still if asked.is_enabled is None else asked.is_enabled
    if not wanted and asked.catch_up != "none":
        message = "is for the end of a pause: say it when the job is enabled"
        raise InvalidError([FieldError("catch_up", message)])
    if wanted:
        changes = (
            {"is_enabled": True, **_switch(True, unit, job, now, asked.catch_up)} if stands_still else {}
        )
    elif job["is_enabled"] or asked.reason != job["pause_reason"]:
        changes = {"is_enabled": False, **_switch(False, unit, job, now), "pause_reason": asked.reason}
    else:
        changes = {}
    return await _update(unit, job_id, changes)


def _switch(is_enabled: bool, unit: Unit, job: Row, now: datetime, catch_up: str = "none") -> dict[str, Any]:
    """What changes along with `is_enabled`; what was asked for at the end of a pause counts for that one."""
    if not is_enabled:
        return {"pause_reason": None, "paused_by": unit.caller.id, "resume_catch_up": "none"}
    return {
        "pause_reason": None,
        "paused_by": None,
        "paused_until": None,
        # After the pause that it ends, also when the clock was set back since.
        "resumed_at": max(now, job["ticker_paused_at"] + MOMENT) if job["ticker_paused_at"] else now,
        "resume_catch_up": catch_up,
    }


@router.post("/jobs/{job_id}/skip-next")
async def skip_next(job_id: UUID, unit: CurrentUnit) -> Job:
    """Leaves out the next instant that is still to come; again, the one after it."""
    await access.require_for_job(unit.connection, job_id, "write")
    await jobs.lock(unit.connection, job_id)
    job, now = await _row(unit, job_id), await clock.now(unit.connection)
    if not job["is_enabled"] or job["is_paused_by_ticker"]:
        raise ConflictError(f"The job {job['name']!r} is paused: nothing of it is due that could be skipped.")
    # Earlier ones are kept in the definition that was in force then.
    skipped = [instant for instant in job["excluded_instants"] if instant > now]
    instant = upcoming(job, now)
    if instant is None:
        raise ConflictError(f"The job {job['name']!r} is not due any more: there is nothing to skip.")
    if len(skipped) >= MAX_SKIPPED:
        raise ConflictError(f"The next {MAX_SKIPPED} instants are skipped already; pause the job instead.")
    return await _update(unit, job_id, {"excluded_instants": [*skipped, instant]})


@router.delete("/jobs/{job_id}", status_code=204)
async def delete_job(job_id: UUID, unit: CurrentUnit) -> None:
    await access.require_for_job(unit.connection, job_id, "write")
    deleted = await jobs.delete(unit.connection, job_id)
    if deleted is None:
        raise NotFoundError("job")
    unit.hints.append(change_of(deleted, "deleted"))


@router.post("/jobs/{job_id}/run", status_code=202)
async def run_job(
    job_id: UUID, unit: CurrentUnit, request: Annotated[RunInput | None, Body()] = None
) -> RunAccepted:
    """Runs the job now, beside its schedule."""
    context_id = await access.require_for_job(unit.connection, job_id, "write")
    await jobs.lock(unit.connection, job_id)
    job, now = await _row(unit, job_id), await clock.now(unit.connection)
    if is_paused(job, now):
        raise ConflictError(f"The job {job['name']!r} is paused{_why_paused(job)}. Enable it to run it.")
    prompt_context = request.prompt_context if request else ""
    if prompt_context and job["tool"] is not None:
        raise InvalidError(
            [FieldError("prompt_context", "has no effect where the job calls a tool: leave it out")]
        )
    run_id, user_id = uuid4(), unit.caller.id
    await jobs.request_run(
        unit.connection,
        run_id=run_id,
        job_id=job_id,
        context_id=context_id,
        user_id=user_id,
        prompt_context=prompt_context,
    )
    unit.events.append(
        RunRequested(context_id=context_id, job_id=job_id, run_id=run_id, requested_by=user_id)
    )
    return RunAccepted(run_id=run_id)


@router.post("/jobs/{job_id}/dry-run", status_code=202)
async def dry_run_job(job_id: UUID, unit: CurrentUnit) -> RunAccepted:
    """Runs the job, paused or not, to see what it would do: what only reads is done, all else written down.

    `rehearsed_calls` of the run lists its calls. It counts for no statistics, and nobody is notified.
    """
    context_id = await access.require_for_job(unit.connection, job_id, "write")
    run_id, user_id = uuid4(), unit.caller.id
    await jobs.request_run(
        unit.connection, run_id=run_id, job_id=job_id, context_id=context_id, user_id=user_id, is_dry=True
    )
    unit.events.append(
        RunRequested(context_id=context_id, job_id=job_id, run_id=run_id, requested_by=user_id)
    )
    return RunAccepted(run_id=run_id)


def _why_paused(job: Row) -> str:
    known = pause(job)
    if known["paused_at"] is None:
        return f" until {job['paused_until']:%Y-%m-%d %H:%M:%S} UTC"
    by = " by the ticker" if known["paused_by"] == TICKER else ""
    return f"{by}: {known['pause_reason']}" if known["pause_reason"] else by


async def _row(unit: Unit, job_id: UUID) -> Row:
    job = await jobs.get(unit.connection, job_id)
    if job is None:
        raise NotFoundError("job")
    return job


async def _update(unit: Unit, job_id: UUID, changes: dict[str, Any]) -> Job:
    if not changes:
        return await get_job(job_id, unit)
    return await _changed(unit, await jobs.update(unit.connection, job_id, changes), "updated")


async def _changed(unit: Unit, job: Row, change: Literal["created", "updated"]) -> Job:
    unit.hints.append(change_of(job, change))
    return await get_job(job["id"], unit)
