from typing import Any, Literal

from fastapi import APIRouter

from rota_gateway.api.answers import Answer
from rota_gateway.edge.paging import Page
from rota_gateway.edge.unit import ApiRoute, CurrentUnit
from rota_gateway.repository import tools

router = APIRouter(tags=["tools"], route_class=ApiRoute)


class Tool(Answer):
    name: str
    description: str
    effect: Literal["read", "write"]
    parameters: dict[str, Any]


@router.get("/tools")
async def list_tools(unit: CurrentUnit) -> Page[Tool]:
    """What agents may be linked with, and jobs may call."""
    found = await tools.every(unit.connection)
    items = [Tool.model_validate(one, from_attributes=True) for one in found.values()]
    return Page(items=items, next_cursor=None)
