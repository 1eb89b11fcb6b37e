"""A context as the document that makes another one have the same."""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

from fastapi import APIRouter

from rota_gateway.api.agent_fields import AgentInput, ToolLink
from rota_gateway.api.contexts import ContextSettings
from rota_gateway.api.document_fields import NamedBudget, NamedCalendar, NamedServer, as_documented
from rota_gateway.api.job_fields import JobInput
from rota_gateway.domain.applying import Kind, told
from rota_gateway.edge.unit import ApiRoute, CurrentUnit, Unit
from rota_gateway.repository import access, agents, budgets, calendars, contexts, jobs, labels, mcp_servers
from rota_gateway.repository.connection import Row

router = APIRouter(tags=["files"], route_class=ApiRoute)


@router.get("/contexts/{context_id}/export")
async def export_document(context_id: UUID, unit: CurrentUnit) -> dict[str, Any]:
    """The document that makes a context have what this one has of its own.

    It has no secrets, no members and no history.
    """
    await access.require(unit.connection, context_id, "read")
    context = await contexts.get(unit.connection, context_id)
    assert context is not None
    servers = await mcp_servers.of_context(unit.connection, context_id)
    found: dict[str, Any] = {
        "settings": told(ContextSettings, context),
        "calendars": [
            told(NamedCalendar, one) for one in await _each(unit, context_id, "calendar", calendars.get)
        ],
        "mcp_servers": [told(NamedServer, one) for one in servers],
        "agents": [
            {**told(AgentInput, one, without={"context_id"}), **_links(one)}
            for one in await _each(unit, context_id, "agent", agents.get)
        ],
        "jobs": [told(JobInput, one) for one in await _each(unit, context_id, "job", jobs.get)],
        "budgets": [
            told(NamedBudget, as_documented(one))
            for one in await _each(unit, context_id, "budget", budgets.get)
        ],
    }
    for objects in found.values():
        if isinstance(objects, list):
            objects[:] = [_name_first(one) for one in objects]
    return {kind: objects for kind, objects in found.items() if objects}


async def _each(
    unit: Unit, context_id: UUID, kind: Kind, get: Callable[[Any, UUID], Awaitable[Row | None]]
) -> list[Row]:
    known = await labels.ids(unit.connection, context_id, kind, hold=False)
    found = [await get(unit.connection, known[name]) for name in sorted(known)]
    return [one for one in found if one]


def _links(agent: Row) -> dict[str, Any]:
    links = [told(ToolLink, link) for link in agent["tools"]]
    return {"tools": links} if links else {}


def _name_first(document: dict[str, Any]) -> dict[str, Any]:
    return {"name": document["name"], **document} if "name" in document else document
