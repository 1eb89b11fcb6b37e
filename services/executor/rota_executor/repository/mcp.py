"""MCP servers of contexts, and what was found in them."""

from collections.abc import Iterable, Sequence
from uuid import UUID

import msgspec

from rota_contracts.tools import ToolDescription
from rota_executor.adapters.mcp import Server
from rota_executor.domain import clean
from rota_store import Database

SERVERS = """
    SELECT CAST(to_jsonb(s) - 'created_by' - 'created_at' - 'updated_at' - 'transport' AS text)
    FROM mcp_servers s
"""

# New ones and changed ones at once, what failed after a minute, all of them every hour.
CLAIM = """
    INSERT INTO mcp_discoveries (server_id, context_id, claimed_until)
    SELECT s.id, s.context_id, clock_timestamp() + interval '1 minute'
    FROM mcp_servers s LEFT JOIN mcp_discoveries d ON d.server_id = s.id
    WHERE d.server_id IS NULL OR d.claimed_until < clock_timestamp() AND (
        d.generation <> s.generation
        OR d.discovered_at < clock_timestamp() - CASE WHEN d.error IS NULL THEN interval '1 hour' ELSE interval '1 minute' END)
    ORDER BY d.discovered_at NULLS FIRST, s.id LIMIT :limit
    ON CONFLICT (server_id) DO UPDATE SET claimed_until = excluded.claimed_until
        WHERE mcp_discoveries.claimed_until < clock_timestamp()
    RETURNING server_id
"""

SETTLE = """
    UPDATE mcp_discoveries SET generation = :generation, error = :error,
        discovered_at = clock_timestamp(), claimed_until = clock_timestamp()
    WHERE server_id = :server_id
"""

COLUMNS = "name text, tool text, description text, effect text, parameters jsonb, idempotent boolean, open_world boolean"
NAMES = ", ".join(column.split()[0] for column in COLUMNS.split(", "))


class McpRepository:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def claim(self, limit: int) -> list[Server]:
        """Servers that are to be looked into, and that nobody else looks into meanwhile."""
        claimed = [row[0] for row in await self._database.fetch(CLAIM, {"limit": limit})]
        if not claimed:
            return []
        found = await self._database.fetch(
            f"{SERVERS} WHERE s.id = ANY (CAST(:ids AS uuid[]))", {"ids": claimed}
        )
        return [msgspec.json.decode(row[0], type=Server) for row in found]

    async def found(
        self, server: Server, tools: Iterable[tuple[ToolDescription, str]], error: str | None
    ) -> None:
        """Writes down the tools that a server has now, each with what it is called there.

        `error`: why others are missing.
        """
        rows = [{**msgspec.to_builtins(description), "tool": name} for description, name in tools]
        # Not the json of Python, which writes numbers that are none.
        kept = msgspec.json.encode(clean(rows)).decode()
        async with self._database.transaction() as connection:
            await connection.execute(
                "DELETE FROM mcp_tools WHERE server_id = :server_id", {"server_id": server.id}
            )
            await connection.execute(
                f"""
                INSERT INTO mcp_tools (server_id, context_id, {NAMES})
                SELECT s.id, s.context_id, {", ".join(f"t.{name}" for name in NAMES.split(", "))}
                FROM mcp_servers s, jsonb_to_recordset(CAST(:tools AS jsonb)) AS t ({COLUMNS})
                WHERE s.id = :server_id ON CONFLICT DO NOTHING
                """,
                {"server_id": server.id, "tools": kept},
            )
            await connection.execute(
                SETTLE, {"server_id": server.id, "generation": server.generation, "error": error}
            )

    async def not_found(self, server: Server, error: str) -> None:
        """What was known of its tools stays known."""
        await self._database.execute(
            SETTLE, {"server_id": server.id, "generation": server.generation, "error": error}
        )

    async def serving(self, context_id: UUID, names: Sequence[str]) -> list[Server]:
        """The servers of the context that were found to have tools of these names."""
        found = await self._database.fetch(
            f"""
            {SERVERS} WHERE s.context_id = :context_id AND EXISTS (
                SELECT 1 FROM mcp_tools t WHERE t.server_id = s.id AND t.name = ANY (CAST(:names AS text[])))
            ORDER BY s.name
            """,
            {"context_id": context_id, "names": list(names)},
        )
        return [msgspec.json.decode(row[0], type=Server) for row in found]
