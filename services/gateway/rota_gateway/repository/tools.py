import json
from typing import Any

from rota_contracts.tools import BUILT_IN, ToolDescription
from rota_gateway.repository.connection import Connection, decoded, rows, run


async def every(connection: Connection) -> dict[str, ToolDescription]:
    """The tools that there are, by name and in their order."""
    found = await rows(connection, "SELECT name, description, effect, parameters FROM tools")
    stored = [ToolDescription(**{**one, "parameters": decoded(one["parameters"])}) for one in found]
    return {tool.name: tool for tool in sorted([*BUILT_IN, *stored], key=lambda tool: tool.name)}


async def put(
    connection: Connection, *, name: str, description: str, effect: str, parameters: dict[str, Any]
) -> None:
    """Adds the tool or makes the one of that name what is said here."""
    await run(
        connection,
        """
        INSERT INTO tools (name, description, effect, parameters)
        VALUES (:name, :description, :effect, CAST(:parameters AS jsonb))
        ON CONFLICT (name) DO UPDATE SET description = excluded.description, effect = excluded.effect,
            parameters = excluded.parameters
        """,
        name=name,
        description=description,
        effect=effect,
        parameters=json.dumps(parameters),
    )
