"""MCP servers of contexts, with what the executors found in them."""

import json
from typing import Any
from uuid import UUID

from rota_gateway.repository.connection import Connection, Row, decoded, row, rows, run

SELECT = """
    SELECT s.id, s.context_id, s.name, s.transport, s.url, s.credential, s.command, s.allowed_tools, s.effects,
           s.created_at, s.updated_at, coalesce(nullif(u.display_name, ''), u.email) AS created_by,
           d.generation IS NOT DISTINCT FROM s.generation AS is_discovered, d.discovered_at, d.error
    FROM mcp_servers s
    LEFT JOIN mcp_discoveries d ON d.server_id = s.id
    LEFT JOIN users u ON u.id = s.created_by
"""


async def of_context(connection: Connection, context_id: UUID) -> list[Row]:
    found = await rows(connection, f"{SELECT} WHERE s.context_id = :id ORDER BY s.name", id=context_id)
    return [_plain(one) for one in found]


async def get(connection: Connection, context_id: UUID, name: str) -> Row | None:
    found = await row(
        connection, f"{SELECT} WHERE s.context_id = :id AND s.name = :name", id=context_id, name=name
    )
    return found and _plain(found)


async def undiscovered(connection: Connection, context_id: UUID | None) -> list[str]:
    """The names of those that no executor has looked into yet."""
    found = await rows(
        connection,
        """
        SELECT s.name FROM mcp_servers s
        WHERE s.context_id = :id AND NOT EXISTS (
            SELECT 1 FROM mcp_discoveries d WHERE d.server_id = s.id AND d.discovered_at IS NOT NULL)
        """,
        id=context_id,
    )
    return [one["name"] for one in found]


async def tools_of(connection: Connection, server_id: UUID) -> list[Row]:
    return await rows(
        connection,
        """
        SELECT name, tool, description, effect, idempotent, open_world FROM mcp_tools
        WHERE server_id = :id ORDER BY name
        """,
        id=server_id,
    )


async def put(
    connection: Connection, context_id: UUID, name: str, values: dict[str, Any], *, user_id: UUID
) -> None:
    """Adds the server, or replaces the one of that name; its tools are looked for anew."""
    await run(
        connection,
        """
        INSERT INTO mcp_servers AS s
            (context_id, name, transport, url, credential, command, allowed_tools, effects, created_by)
        VALUES (:context_id, :name, :transport, :url, :credential, :command, CAST(:allowed_tools AS text[]),
                CAST(:effects AS jsonb), :user_id)
        ON CONFLICT (context_id, name) DO UPDATE SET transport = excluded.transport, url = excluded.url,
            credential = excluded.credential, command = excluded.command,
            allowed_tools = excluded.allowed_tools, effects = excluded.effects,
            generation = s.generation + 1, updated_at = clock_timestamp()
        """,
        context_id=context_id,
        name=name,
        user_id=user_id,
        **{**values, "effects": json.dumps(values["effects"])},
    )


async def refresh(connection: Connection, context_id: UUID, name: str) -> bool:
    """Has its tools looked for anew."""
    updated = await run(
        connection,
        "UPDATE mcp_servers SET generation = generation + 1 WHERE context_id = :id AND name = :name",
        id=context_id,
        name=name,
    )
    return updated == 1


async def delete(connection: Connection, context_id: UUID, name: str) -> bool:
    deleted = await run(
        connection,
        "DELETE FROM mcp_servers WHERE context_id = :id AND name = :name",
        id=context_id,
        name=name,
    )
    return deleted == 1


def _plain(found: Row) -> Row:
    return {**found, "effects": decoded(found["effects"])}
