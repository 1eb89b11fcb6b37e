"""What PostgreSQL does for the statements of the services, as its auto_explain writes it into the log."""

import contextlib
import json
import re
from collections.abc import AsyncIterator, Iterator
from typing import Any

from tests.support.servers import SERVICES
from tests.support.world import World

SETTINGS = {
    "session_preload_libraries": "auto_explain",
    "auto_explain.log_min_duration": "0",
    "auto_explain.log_nested_statements": "on",
    "auto_explain.log_analyze": "on",
    "auto_explain.log_timing": "off",
    "auto_explain.log_format": "json",
}
# A message of several lines goes on with a tab.
ENTRY = re.compile(r"LOG:  duration: [\d.]+ ms  plan:\n((?:\t.*\n)+)")
NUMBERS = ("Actual Rows", "Rows Removed by Filter", "Rows Removed by Join Filter")


class Plans:
    """Of the database of a world, from when they are watched on; the gateway plans as it likes."""

    def __init__(self, world: World) -> None:
        self._servers = world.servers
        self._start = len(self._servers.postgres_log())

    def reads(self) -> dict[str, int]:
        """Of each statement the most rows that one step of one execution of it had in its hands."""
        written = self._servers.postgres_log()[self._start :]
        entries = [json.loads(entry) for entry in ENTRY.findall(written)]
        reads: dict[str, int] = {}
        for entry in entries:
            text = " ".join(entry["Query Text"].split())
            reads[text] = max([reads.get(text, 0), *_rows(entry["Plan"])])
        return reads


@contextlib.asynccontextmanager
async def plans_watched(world: World) -> AsyncIterator[Plans]:
    """Concerns connections that are made while the block runs."""
    roles = [f"rota_{service}" for service in SERVICES if service != "gateway"]
    for role in roles:
        for name, value in SETTINGS.items():
            await world.sql(f"ALTER ROLE {role} IN DATABASE \"{world.name}\" SET {name} = '{value}'")
    try:
        yield Plans(world)
    finally:
        for role in roles:
            await world.sql(f'ALTER ROLE {role} IN DATABASE "{world.name}" RESET ALL')


def _rows(node: dict[str, Any]) -> Iterator[int]:
    yield round(sum(node.get(name, 0) for name in NUMBERS) * node.get("Actual Loops", 1))
    for child in node.get("Plans", []):
        yield from _rows(child)
