from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from uuid import UUID, uuid4

from fastapi import APIRouter, Body
from pydantic import Field

from rota_contracts.events import JobChanged, RunRequested
from rota_gateway.api.answers import Answer, Disposition, Instant, State
from rota_gateway.api.fields import Description, Input, PromptContext
from rota_gateway.api.job_fields import JobInput, JobPatch, checked
from rota_gateway.domain import JobStatus, job_status, next_run_at
from rota_gateway.edge.paging import CurrentPaging, Page
from rota_gateway.edge.unit import ApiRoute, CurrentUnit, Unit
from rota_gateway.errors import ConflictError, NotFoundError
from rota_gateway.repository import access, contexts, jobs, occurrences
from rota_gateway.repository.connection import Row

router = APIRouter(tags=["jobs"], route_class=ApiRoute)

DEFINITION = tuple(JobInput.model_fields)


class Job(Answer):
    id: UUID
    context_id: UUID
    context_name: str
    name: str
    description: str | None
    cron_expression: str
    timezone: str
    agent_name: str
    skill_prompt: str
    is_enabled: bool
    pause_reason: str | None
    status: JobStatus
    schedule_error: str | None
    notification_channel: str | None
    notification_target: str | None
    timeout_seconds: int
    max_retries: int
    owner_id: UUID | None
    last_run_id: UUID | None
    last_run_at: Instant | None
    last_run_status: Literal["success", "error", "partial"] | None
    last_run_result: str | None
    last_run_duration_ms: int | None
    next_run_at: Instant | None
    run_count: int
    error_count: int
    created_at: Instant
    updated_at: Instant


class Occurrence(Answer):
    run_id: UUID
    job_id: UUID
    context_id: UUID
    scheduled_for: Instant
    effective_at: Instant
    trigger: Literal["schedule", "manual", "backfill"]
    state: State
    disposition: Disposition | None
    reason: str | None
    instants: int
    last_instant: Instant | None
    attempt: int
    created_at: Instant
    dispatched_at: Instant | None
    started_at: Instant | None
    closed_at: Instant | None


class Toggle(Input):
    is_enabled: bool | None = Field(default=None, description="without it the job is switched over")
    reason: Description | None = None


class RunInput(Input):
    prompt_context: PromptContext = Field(
        default="", description="told to the agent in this one run, after the prompt of the job"
    )


class RunAccepted(Answer):
    run_id: UUID


def shown(job: Row) -> Job:
    """A row of the repository as the API and the pages show it."""
    derived = {"status": job_status(job), "next_run_at": next_run_at(job, datetime.now(UTC))}
    return Job.model_validate({**job, **derived})


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
    values = checked(definition.model_dump(), min_period_seconds=await _min_period(unit, context_id))
    owned = {**values, "context_id": context_id, "owner_id": unit.caller.id}
    return await _changed(unit, await jobs.add(unit.connection, owned), "created")


@router.get("/jobs/{job_id}")
async def get_job(job_id: UUID, unit: CurrentUnit) -> Job:
    job = await jobs.get(unit.connection, job_id)
    if job is None:
        raise NotFoundError("job")
    return shown(job)


@router.patch("/jobs/{job_id}")
async def update_job(job_id: UUID, patch: JobPatch, unit: CurrentUnit) -> Job:
    context_id = await access.require_for_job(unit.connection, job_id, "write")
    stored = await jobs.lock(unit.connection, job_id)
    definition = {field: stored[field] for field in DEFINITION}
    sent = patch.model_dump(exclude_unset=True)
    checked({**definition, **sent}, min_period_seconds=await _min_period(unit, context_id))
    changes = {field: value for field, value in sent.items() if value != definition[field]}
    if changes.get("is_enabled"):
        changes["pause_reason"] = None
    return await _update(unit, job_id, changes)


@router.post("/jobs/{job_id}/toggle")
async def toggle_job(job_id: UUID, unit: CurrentUnit, toggle: Annotated[Toggle | None, Body()] = None) -> Job:
    await access.require_for_job(unit.connection, job_id, "write")
    stored = await jobs.lock(unit.connection, job_id)
    wanted = toggle.is_enabled if toggle and toggle.is_enabled is not None else not stored["is_enabled"]
    reason = toggle.reason if toggle and not wanted else None
    target = {"is_enabled": wanted, "pause_reason": reason}
    return await _update(
        unit, job_id, {name: value for name, value in target.items() if value != stored[name]}
    )


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
    stored = await jobs.lock(unit.connection, job_id)
    if not stored["is_enabled"]:
        reason = f": {stored['pause_reason']}" if stored["pause_reason"] else ""
        raise ConflictError(f"The job {stored['name']!r} is paused{reason}. Enable it to run it.")
    run_id, user_id = uuid4(), unit.caller.id
    await jobs.request_run(
        unit.connection,
        run_id=run_id,
        job_id=job_id,
        context_id=context_id,
        user_id=user_id,
        prompt_context=request.prompt_context if request else "",
    )
    unit.events.append(
        RunRequested(context_id=context_id, job_id=job_id, run_id=run_id, requested_by=user_id)
    )
    return RunAccepted(run_id=run_id)


@router.get("/jobs/{job_id}/occurrences")
async def list_occurrences(job_id: UUID, unit: CurrentUnit, paging: CurrentPaging) -> Page[Occurrence]:
    """The ledger of the job, newest first."""
    await access.require_for_job(unit.connection, job_id, "read")
    found = await occurrences.page_of_job(unit.connection, job_id, paging.after, paging.fetch)
    return paging.page(found, Occurrence.model_validate, key=("created_at", "run_id"))


def change_of(job: Row, change: Literal["created", "updated", "deleted"]) -> JobChanged:
    return JobChanged(
        context_id=job["context_id"], job_id=job["id"], generation=job["generation"], change=change
    )


async def _update(unit: Unit, job_id: UUID, changes: dict[str, Any]) -> Job:
    if not changes:
        return await get_job(job_id, unit)
    return await _changed(unit, await jobs.update(unit.connection, job_id, changes), "updated")


async def _changed(unit: Unit, job: Row, change: Literal["created", "updated"]) -> Job:
    unit.hints.append(change_of(job, change))
    return await get_job(job["id"], unit)


async def _min_period(unit: Unit, context_id: UUID) -> int:
    context = await contexts.get(unit.connection, context_id)
    if context is None:
        raise NotFoundError("context")
    period: int = context["min_period_seconds"]
    return period
