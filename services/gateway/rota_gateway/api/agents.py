"""Agents: a context's own, and those that are there for every context."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import Field

from rota_contracts.tools import ToolDescription
from rota_gateway.api.agent_fields import AgentInput, AgentPatch
from rota_gateway.api.answers import Answer, Instant
from rota_gateway.domain.agents import MAX_NAMED, effective_policy, problems, shown_jobs
from rota_gateway.edge.paging import CurrentPaging, Page
from rota_gateway.edge.unit import ApiRoute, CurrentUnit, Unit
from rota_gateway.errors import ConflictError, FieldError, ForbiddenError, InvalidError, NotFoundError
from rota_gateway.repository import access, agents, mcp_servers, tools
from rota_gateway.repository.connection import Row

router = APIRouter(tags=["agents"], route_class=ApiRoute)

OfContext = Annotated[
    UUID | None, Query(description="whose agent: of this context; left out, the one for every context")
]


class LinkedTool(Answer):
    tool_name: str
    mode: Literal["model", "prefetch"]
    policy: Literal["auto", "ask", "deny"] | None
    arguments: dict[str, Any]


class Definition(Answer):
    """What a save can change."""

    description: str
    model: str
    fallback_models: list[str]
    system_prompt: str
    model_settings: dict[str, Any]
    examples: list[dict[str, str]]
    style: Literal["conversation", "per_fact"]
    grounding: Literal["none", "numbers"]
    limits: dict[str, Any]
    max_concurrent_runs: int | None
    approval_expiry_seconds: int | None = Field(default=None, description="of its jobs that say none")
    approval_expiry_action: Literal["deny", "fail"] | None = Field(
        default=None, description="of its jobs that say none"
    )
    tools: list[LinkedTool]


class Agent(Definition):
    """An agent without `context_id` is there for every context that has none of its own of that name."""

    id: UUID
    context_id: UUID | None
    name: str
    revision: int
    policies: dict[str, Literal["auto", "ask", "deny"]]
    created_at: Instant
    updated_at: Instant


class Revision(Definition):
    """An agent as it was from one save to the next."""

    agent_id: UUID
    context_id: UUID | None
    name: str
    revision: int
    created_by: str | None
    created_at: Instant


@router.get("/agents")
async def list_agents(
    unit: CurrentUnit, paging: CurrentPaging, context_id: UUID | None = None
) -> Page[Agent]:
    """All that you may see; with a context, those that its jobs get."""
    if context_id is not None:
        await access.require(unit.connection, context_id, "read")
    found = await agents.page(unit.connection, paging.after, paging.fetch, context_id)
    known = await tools.of_each(unit.connection, (one["context_id"] for one in found))
    return paging.page(found, lambda one: _shown(one, known[one["context_id"]]))


@router.post("/agents", status_code=201)
async def create_agent(definition: AgentInput, unit: CurrentUnit) -> Agent:
    await _require_write(unit, definition.context_id)
    values = definition.model_dump()
    await _checked(unit, values)
    agent_id = await agents.add(
        unit.connection, definition.name, definition.context_id, values, user_id=unit.caller.id
    )
    return await _answer(unit, agent_id)


@router.get("/agents/{name}")
async def get_agent(name: str, unit: CurrentUnit, context_id: OfContext = None) -> Agent:
    """The agent as a job of the context gets it: the context's own, else the one for every context."""
    known = {one["context_id"]: one for one in await _named(unit, name)}
    found = known.get(context_id) or known.get(None)
    found = found or _only(known, name, context_id)
    return _shown(found, await tools.every(unit.connection, found["context_id"]))


@router.patch("/agents/{name}")
async def update_agent(
    name: str, patch: AgentPatch, unit: CurrentUnit, context_id: OfContext = None
) -> Agent:
    """A change is a new revision; runs that go on keep the one that they began with."""
    stored = await _held(unit, name, context_id)
    # What was left out inside of a link has its default; only whole fields are left as they are.
    sent = {field: value for field, value in patch.model_dump().items() if field in patch.model_fields_set}
    seen = sent.pop("revision", None)
    if seen is not None and seen != stored["revision"]:
        raise ConflictError(
            f"The agent {name!r} is at revision {stored['revision']} by now, not at {seen}: "
            "look at it again, then repeat the change."
        )
    wanted = {**stored, **sent}
    if wanted != stored:
        await _checked(unit, wanted)
        await agents.update(unit.connection, stored["id"], wanted, user_id=unit.caller.id)
    return await _answer(unit, stored["id"])


@router.delete("/agents/{name}", status_code=204)
async def delete_agent(name: str, unit: CurrentUnit, context_id: OfContext = None) -> None:
    """Not while a job runs it. Its revisions stay, for the runs that used them."""
    stored = await _held(unit, name, context_id)
    total, jobs = await agents.users(unit.connection, stored["id"], MAX_NAMED)
    if total:
        raise ConflictError(
            f"The agent {name!r} is run by {shown_jobs(total, jobs)}: "
            "let these jobs run another agent first, or delete them."
        )
    await agents.delete(unit.connection, stored["id"])


@router.get("/agents/{name}/revisions")
async def list_revisions(
    name: str,
    unit: CurrentUnit,
    context_id: OfContext = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None,
) -> Page[Revision]:
    """The newest first, also of an agent that is deleted; `cursor` is the last revision that you saw."""
    if not name.isprintable():
        raise NotFoundError("agent")
    found = await agents.revisions(unit.connection, name, context_id, cursor, limit + 1)
    if not found and cursor is None:
        raise NotFoundError("agent")
    shown = [Revision.model_validate(one) for one in found[:limit]]
    return Page(items=shown, next_cursor=str(shown[-1].revision) if len(found) > limit else None)


async def _named(unit: Unit, name: str) -> list[Row]:
    # What PostgreSQL has no text for is nobody's name.
    return await agents.named(unit.connection, name) if name.isprintable() else []


def _only(known: Mapping[UUID | None, Row], name: str, context_id: UUID | None) -> Row:
    """Where no context was named and none is for every context: the one that there is."""
    if not known or context_id is not None:
        raise NotFoundError("agent")
    if len(known) > 1:
        raise ConflictError(f"{len(known)} contexts have an agent {name!r}: say which, with context_id.")
    return next(iter(known.values()))


async def _held(unit: Unit, name: str, context_id: UUID | None) -> Row:
    """The agent to be changed, which nobody else changes until the transaction ends."""
    known = {one["context_id"]: one for one in await _named(unit, name)}
    found = known.get(context_id)
    if found is None and None in known:
        raise NotFoundError("agent in this context: the one for every context is named without context_id")
    found = found or _only(known, name, context_id)
    await _require_write(unit, found["context_id"])
    held = await agents.lock(unit.connection, found["id"])
    if held is None:
        raise NotFoundError("agent")
    return held


async def _require_write(unit: Unit, context_id: UUID | None) -> None:
    if context_id is not None:
        await access.require(unit.connection, context_id, "write")
    elif not unit.caller.is_admin:
        raise ForbiddenError(
            "Only an administrator may change an agent that is there for every context; "
            "name your context with context_id."
        )


async def _checked(unit: Unit, values: dict[str, Any]) -> None:
    known = await tools.every(unit.connection, values["context_id"])
    unknown = await mcp_servers.undiscovered(unit.connection, values["context_id"])
    found = problems(values, known, await tools.providers(unit.connection), unknown)
    if found:
        raise InvalidError([FieldError(*problem) for problem in found])


async def _answer(unit: Unit, agent_id: UUID) -> Agent:
    found = await agents.lock(unit.connection, agent_id)
    assert found is not None
    return _shown(found, await tools.every(unit.connection, found["context_id"]))


def _shown(agent: Row, known: Mapping[str, ToolDescription]) -> Agent:
    policies = {link["tool_name"]: effective_policy(link, known) for link in agent["tools"]}
    return Agent.model_validate({**agent, "policies": policies})
