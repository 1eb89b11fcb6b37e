from collections.abc import Collection
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter
from pydantic import Field

from rota_gateway.api.answers import Answer, Instant
from rota_gateway.api.context_fields import Host, Role
from rota_gateway.api.fields import Input, Name, Patch
from rota_gateway.api.job_answers import change_of
from rota_gateway.edge.paging import CurrentPaging, Page
from rota_gateway.edge.unit import ApiRoute, CurrentUnit, Unit
from rota_gateway.errors import ForbiddenError, NotFoundError
from rota_gateway.repository import access, contexts, jobs

router = APIRouter(tags=["contexts"], route_class=ApiRoute)

Concurrency = Annotated[int, Field(ge=1, le=1000)]
Period = Annotated[int, Field(ge=1, le=86_400)]


Hosts = Annotated[
    list[Host],
    Field(
        max_length=100,
        description="which tools may reach though they are at no public address; "
        "only an administrator may change them",
    ),
]


class Context(Answer):
    id: UUID
    name: str
    max_concurrent_runs: int
    min_period_seconds: int
    allowed_hosts: list[str]
    role: Role | None = Field(description="yours; an administrator may have none")
    job_count: int
    created_at: Instant
    updated_at: Instant


class ContextInput(Input):
    name: Name
    max_concurrent_runs: Concurrency = 3
    min_period_seconds: Period = 60
    allowed_hosts: Hosts = Field(default=[])


class ContextSettings(Patch):
    max_concurrent_runs: Concurrency = 3
    min_period_seconds: Period = 60
    allowed_hosts: Hosts = Field(default=[])


class ContextPatch(ContextSettings):
    name: Name = ""


@router.get("/contexts")
async def list_contexts(unit: CurrentUnit, paging: CurrentPaging) -> Page[Context]:
    found = await contexts.page(unit.connection, paging.after, paging.fetch)
    return paging.page(found, Context.model_validate)


@router.post("/contexts", status_code=201)
async def create_context(definition: ContextInput, unit: CurrentUnit) -> Context:
    """You become its owner."""
    _check_hosts(definition.allowed_hosts, unit)
    context_id = await contexts.add(unit.connection, unit.caller.id, definition.model_dump())
    return await get_context(context_id, unit)


@router.get("/contexts/{context_id}")
async def get_context(context_id: UUID, unit: CurrentUnit) -> Context:
    found = await contexts.get(unit.connection, context_id)
    if found is None:
        raise NotFoundError("context")
    return Context.model_validate(found)


@router.patch("/contexts/{context_id}")
async def update_context(context_id: UUID, patch: ContextPatch, unit: CurrentUnit) -> Context:
    await access.require(unit.connection, context_id, "own")
    if "allowed_hosts" in patch.model_fields_set:
        stored = await get_context(context_id, unit)
        _check_hosts(set(patch.allowed_hosts) ^ set(stored.allowed_hosts), unit)
    if changes := patch.model_dump(exclude_unset=True):
        await contexts.update(unit.connection, context_id, changes)
    return await get_context(context_id, unit)


@router.delete("/contexts/{context_id}", status_code=204)
async def delete_context(context_id: UUID, unit: CurrentUnit) -> None:
    """Deletes its jobs, its results and everything else in it."""
    await access.require(unit.connection, context_id, "own")
    await contexts.hold(unit.connection, context_id)
    deleted = await jobs.delete_of_context(unit.connection, context_id)
    await contexts.delete(unit.connection, context_id)
    unit.hints.extend(change_of(job, "deleted") for job in deleted)


def _check_hosts(changed: Collection[str], unit: Unit) -> None:
    if changed and not unit.caller.is_admin:
        raise ForbiddenError("Only an administrator may change allowed_hosts.")
