"""MCP servers whose tools the agents of a context may be linked with."""

from typing import Annotated, Any, Literal
from urllib.parse import urlsplit
from uuid import UUID

from fastapi import APIRouter, Path
from pydantic import AfterValidator, Field
from starlette.responses import Response

from rota_gateway.api.answers import Answer, Instant
from rota_gateway.api.credential_fields import CREDENTIAL_NAME
from rota_gateway.api.fields import Input, text
from rota_gateway.edge.paging import Page
from rota_gateway.edge.unit import ApiRoute, CurrentUnit, Unit
from rota_gateway.errors import ConflictError, FieldError, InvalidError, NotFoundError
from rota_gateway.repository import access, mcp_servers
from rota_gateway.repository.connection import Row

router = APIRouter(tags=["tools"], route_class=ApiRoute)

MAX_OF_CONTEXT = 30
SERVER_NAME = r"^[a-z][a-z0-9-]*$"
Name = Annotated[str, Path(min_length=1, max_length=30, pattern=SERVER_NAME)]
ToolName = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(text)]
# Of each transport: what it needs, and what else it may have.
NEEDED = {"http": "url", "stdio": "command"}
OWN = {"http": {"url", "credential"}, "stdio": {"command"}}


def _address(value: str) -> str:
    if (
        not value.startswith(("https://", "http://"))
        or "@" in value.partition("/")[2]
        or not value.isprintable()
    ):
        raise ValueError("must begin with https:// or http://, without a name or password in it")
    try:
        is_whole = bool((parts := urlsplit(value)).hostname) and parts.port != 0
    except ValueError:
        is_whole = False
    if not is_whole:
        raise ValueError("must name a host, like https://mcp.example.org/mcp")
    return value


class ServerInput(Input):
    """http: one that speaks streamable HTTP. stdio: a program that the operator lets executors start."""

    transport: Literal["http", "stdio"]
    url: Annotated[str, Field(min_length=1, max_length=2_000), AfterValidator(_address)] | None = None
    credential: Annotated[str, Field(max_length=64, pattern=CREDENTIAL_NAME)] | None = Field(
        default=None, description="of http: the name of a credential of that kind, whose header is sent along"
    )
    command: Annotated[str, Field(min_length=1, max_length=100)] | None = Field(
        default=None, description="of stdio: its name in EXECUTOR_MCP_COMMANDS of the executors"
    )
    allowed_tools: Annotated[list[ToolName], Field(max_length=500)] | None = Field(
        default=None, description="as the server calls them; none given: all that it has"
    )
    effects: Annotated[dict[ToolName, Literal["read", "write"]], Field(max_length=500)] = Field(
        default_factory=dict, description="what you know better of a tool than its server says"
    )


class ServersTool(Answer):
    name: str = Field(description="as agents link it")
    tool: str = Field(description="as the server calls it")
    description: str
    effect: Literal["read", "write"]
    idempotent: bool
    open_world: bool
    policy: Literal["auto", "ask"] = Field(description="where an agent's link says none")


class Server(Answer):
    id: UUID
    context_id: UUID
    name: str
    transport: Literal["http", "stdio"]
    url: str | None
    credential: str | None
    command: str | None
    allowed_tools: list[str] | None
    effects: dict[str, Literal["read", "write"]]
    status: Literal["pending", "ready", "failed"] = Field(
        description="pending: no executor looked yet; failed: it has an `error`"
    )
    error: str | None = Field(
        description="why its tools cannot be had, or some of them; those that are listed can be used"
    )
    discovered_at: Instant | None
    created_by: str | None
    created_at: Instant
    updated_at: Instant


class ServerWithTools(Server):
    tools: list[ServersTool]


@router.get("/contexts/{context_id}/mcp-servers")
async def list_mcp_servers(context_id: UUID, unit: CurrentUnit) -> Page[Server]:
    await access.require(unit.connection, context_id, "read")
    found = await mcp_servers.of_context(unit.connection, context_id)
    return Page(items=[Server.model_validate(_told(one)) for one in found], next_cursor=None)


@router.get("/contexts/{context_id}/mcp-servers/{name}")
async def get_mcp_server(context_id: UUID, name: Name, unit: CurrentUnit) -> ServerWithTools:
    """With the tools that an executor found in it; it looks again every hour."""
    await access.require(unit.connection, context_id, "read")
    return await _answer(unit, context_id, name)


@router.put("/contexts/{context_id}/mcp-servers/{name}")
async def set_mcp_server(
    context_id: UUID, name: Name, given: ServerInput, unit: CurrentUnit
) -> ServerWithTools:
    """Adds it, or replaces the one of that name. An executor looks for its tools within seconds."""
    await access.require(unit.connection, context_id, "own")
    _require_fitting(given)
    known = await mcp_servers.of_context(unit.connection, context_id)
    if len(known) >= MAX_OF_CONTEXT and name not in {one["name"] for one in known}:
        raise ConflictError(f"A context has at most {MAX_OF_CONTEXT} MCP servers: delete one first.")
    await mcp_servers.put(unit.connection, context_id, name, given.model_dump(), user_id=unit.caller.id)
    return await _answer(unit, context_id, name)


@router.post("/contexts/{context_id}/mcp-servers/{name}/refresh", status_code=202)
async def refresh_mcp_server(context_id: UUID, name: Name, unit: CurrentUnit) -> ServerWithTools:
    """Has its tools looked for now."""
    await access.require(unit.connection, context_id, "own")
    if not await mcp_servers.refresh(unit.connection, context_id, name):
        raise NotFoundError("MCP server")
    return await _answer(unit, context_id, name)


@router.delete("/contexts/{context_id}/mcp-servers/{name}", status_code=204)
async def delete_mcp_server(context_id: UUID, name: Name, unit: CurrentUnit) -> Response:
    """Agents that are linked with its tools run without them."""
    await access.require(unit.connection, context_id, "own")
    if not await mcp_servers.delete(unit.connection, context_id, name):
        raise NotFoundError("MCP server")
    return Response(status_code=204)


def _require_fitting(given: ServerInput) -> None:
    needed, own = NEEDED[given.transport], OWN[given.transport]
    errors = []
    if getattr(given, needed) is None:
        errors.append(FieldError(needed, f"is missing: a server of transport {given.transport} has one"))
    errors += [
        FieldError(name, f"is not of a server of transport {given.transport}: leave it out")
        for name in ("url", "credential", "command")
        if name not in own and getattr(given, name) is not None
    ]
    if errors:
        raise InvalidError(errors)


async def _answer(unit: Unit, context_id: UUID, name: str) -> ServerWithTools:
    found = await mcp_servers.get(unit.connection, context_id, name)
    if found is None:
        raise NotFoundError("MCP server")
    tools = [
        {**one, "policy": "auto" if one["effect"] == "read" else "ask"}
        for one in await mcp_servers.tools_of(unit.connection, found["id"])
    ]
    return ServerWithTools.model_validate({**_told(found), "tools": tools})


def _told(server: Row) -> dict[str, Any]:
    looked = "failed" if server["error"] else "ready"
    return {**server, "status": looked if server["is_discovered"] else "pending"}
