from typing import Any, Literal
from uuid import UUID

from fastapi import APIRouter

from rota_gateway.api.answers import Answer, Instant
from rota_gateway.edge.paging import CurrentPaging, Page
from rota_gateway.edge.unit import ApiRoute, CurrentUnit
from rota_gateway.errors import NotFoundError
from rota_gateway.repository import agents, tools

router = APIRouter(tags=["agents"], route_class=ApiRoute)


class LinkedTool(Answer):
    tool_name: str
    mode: Literal["model", "prefetch"]
    policy: Literal["auto", "ask", "deny"]
    arguments: dict[str, Any]
    position: int


class Agent(Answer):
    """An agent without `context_id` is there for every context."""

    id: UUID
    context_id: UUID | None
    name: str
    description: str
    model: str
    fallback_models: list[str]
    system_prompt: str
    model_settings: dict[str, Any]
    examples: list[dict[str, str]]
    style: Literal["conversation", "per_fact"]
    grounding: Literal["none", "numbers"]
    limits: dict[str, Any]
    revision: int
    tools: list[LinkedTool]
    created_at: Instant
    updated_at: Instant


class Tool(Answer):
    name: str
    description: str
    effect: Literal["read", "write"]
    parameters: dict[str, Any]


@router.get("/agents")
async def list_agents(unit: CurrentUnit, paging: CurrentPaging) -> Page[Agent]:
    found = await agents.page(unit.connection, paging.after, paging.fetch)
    return paging.page(found, Agent.model_validate)


@router.get("/agents/{name}")
async def get_agent(name: str, unit: CurrentUnit, context_id: UUID | None = None) -> Agent:
    """The agent as a job of the context gets it: the context's own, else the one for everybody."""
    found = await agents.get(unit.connection, name, context_id) if name.isprintable() else None
    if found is None:
        raise NotFoundError("agent")
    return Agent.model_validate(found)


@router.get("/tools")
async def list_tools(unit: CurrentUnit) -> Page[Tool]:
    """What agents may be linked with."""
    found = await tools.every(unit.connection)
    return Page(items=[Tool.model_validate(one) for one in found], next_cursor=None)
