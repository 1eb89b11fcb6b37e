"""What the executors have announced: the tools that there are, and the providers of models."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

import msgspec

from rota_contracts.tools import ToolDescription
from rota_gateway.repository.connection import Connection, Row, decoded, rows

COLUMNS = ", ".join(ToolDescription.__struct_fields__)


# Those of the executors, and those that a context's MCP servers were found to have.
TOOLS = f"""
    SELECT {COLUMNS}, source FROM tools
    UNION ALL
    SELECT m.name, m.description, m.effect, m.parameters, m.idempotent, m.open_world, false, NULL, NULL,
           'mcp:' || s.name
    FROM mcp_tools m JOIN mcp_servers s ON s.id = m.server_id
    WHERE m.context_id = :context_id AND NOT EXISTS (SELECT 1 FROM tools t WHERE t.name = m.name)
    ORDER BY name
"""


async def every(connection: Connection, context_id: UUID | None) -> dict[str, ToolDescription]:
    """The tools that agents and jobs of a context may have, by name and in their order."""
    found = await rows(connection, TOOLS, context_id=context_id)
    return {one["name"]: _tool(one) for one in found}


async def of_each(
    connection: Connection, context_ids: Iterable[UUID | None]
) -> dict[UUID | None, dict[str, ToolDescription]]:
    """The same for several contexts."""
    return {one: await every(connection, one) for one in set(context_ids)}


async def listed(connection: Connection, context_id: UUID | None) -> list[dict[str, Any]]:
    """The same for people: with their policy, and where they are from."""
    found = await rows(connection, TOOLS, context_id=context_id)
    tools = [(_tool(one), one["source"]) for one in found]
    return [
        {**msgspec.structs.asdict(tool), "policy": tool.policy, "source": source} for tool, source in tools
    ]


async def providers(connection: Connection) -> frozenset[str]:
    """What may stand before the colon in the name of a model."""
    found = await rows(connection, "SELECT name FROM model_providers")
    return frozenset(one["name"] for one in found)


def _tool(found: Row) -> ToolDescription:
    columns = {name: found[name] for name in ToolDescription.__struct_fields__}
    return ToolDescription(**{**columns, "parameters": decoded(found["parameters"])})
