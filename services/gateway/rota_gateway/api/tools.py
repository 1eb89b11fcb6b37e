from typing import Any, Literal
from uuid import UUID

from fastapi import APIRouter
from pydantic import Field

from rota_gateway.api.answers import Answer
from rota_gateway.edge.paging import Page
from rota_gateway.edge.unit import ApiRoute, CurrentUnit
from rota_gateway.repository import access, tools

router = APIRouter(tags=["tools"], route_class=ApiRoute)


class Tool(Answer):
    """The annotations are those of the Model Context Protocol."""

    name: str
    description: str
    effect: Literal["read", "write"] = Field(description="read: it changes nothing")
    idempotent: bool = Field(description="a second call with the same arguments changes nothing more")
    open_world: bool = Field(description="it deals with what lies outside, whose words are not to be trusted")
    transactional: bool = Field(description="what it changes is kept only together with the run's outcome")
    policy: Literal["auto", "ask", "deny"] = Field(description="where an agent's link says none")
    timeout_seconds: float | None = Field(description="of one call; none: what the executor allows any")
    parameters: dict[str, Any] = Field(description="the JSON Schema of the arguments")
    source: str = Field(description="rota, the package that adds it, or mcp: and the server")


@router.get("/tools")
async def list_tools(unit: CurrentUnit, context_id: UUID | None = None) -> Page[Tool]:
    """What agents may be linked with, and jobs may call: what the executors have announced.

    With a context, also what its MCP servers were found to have.
    """
    if context_id is not None:
        await access.require(unit.connection, context_id, "read")
    found = await tools.listed(unit.connection, context_id)
    return Page(items=[Tool.model_validate(one) for one in found], next_cursor=None)
