"""What the executors have to offer, for the gateway to check definitions against."""

import json
from collections.abc import Iterable

import msgspec

from rota_contracts.tools import ToolDescription
from rota_store import Database

COLUMNS = (
    "name text, description text, effect text, parameters jsonb, idempotent boolean, open_world boolean,"
    " transactional boolean, timeout_seconds float, default_policy text, source text"
)
NAMES = [column.split()[0] for column in COLUMNS.split(",")]
# What no executor has said for so long has gone with the last that had it.
FORGOTTEN_AFTER = "10 minutes"


class Offers:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def announce(self, tools: Iterable[tuple[ToolDescription, str]], providers: Iterable[str]) -> None:
        """Writes down the tools, each with its source, and the providers of models that this executor has."""
        rows = [{**msgspec.to_builtins(tool), "source": source} for tool, source in tools]
        async with self._database.transaction() as connection:
            # In one order, so that two executors do not wait for one another.
            await connection.execute(
                f"""
                INSERT INTO tools ({", ".join(NAMES)})
                SELECT {", ".join(NAMES)} FROM jsonb_to_recordset(CAST(:tools AS jsonb)) AS t ({COLUMNS})
                ORDER BY name
                ON CONFLICT (name) DO UPDATE SET announced_at = clock_timestamp(),
                    {", ".join(f"{name} = excluded.{name}" for name in NAMES[1:])}
                """,
                {"tools": json.dumps(rows)},
            )
            await connection.execute(
                """
                INSERT INTO model_providers (name)
                SELECT name FROM unnest(CAST(:providers AS text[])) AS p (name) ORDER BY name
                ON CONFLICT (name) DO UPDATE SET announced_at = clock_timestamp()
                """,
                {"providers": list(providers)},
            )
            for table in ("tools", "model_providers"):
                await connection.execute(
                    f"DELETE FROM {table} WHERE announced_at < clock_timestamp() - interval '{FORGOTTEN_AFTER}'"
                )
