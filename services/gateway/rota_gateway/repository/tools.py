"""What the executors have announced: the tools that there are, and the providers of models."""

from typing import Any

import msgspec

from rota_contracts.tools import ToolDescription
from rota_gateway.repository.connection import Connection, Row, decoded, rows

COLUMNS = ", ".join(ToolDescription.__struct_fields__)


async def every(connection: Connection) -> dict[str, ToolDescription]:
    """The tools, by name and in their order."""
    found = await rows(connection, f"SELECT {COLUMNS} FROM tools ORDER BY name")
    return {one["name"]: _tool(one) for one in found}


async def listed(connection: Connection) -> list[dict[str, Any]]:
    """The tools for people: with their policy, and where they are from."""
    found = await rows(connection, f"SELECT {COLUMNS}, source FROM tools ORDER BY name")
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
