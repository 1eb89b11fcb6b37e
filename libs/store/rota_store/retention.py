"""Rows that are older than somebody wants to keep them, deleted batch by batch."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta

from rota_chassis import logs
from rota_chassis.lifecycle import Lifetime, periodically
from rota_store.database import Database

log = logs.logger(__name__)

EVERY_SECONDS = 3600.0
BATCH = 500
# Between batches others have their turn.
PAUSE_SECONDS = 0.05


async def prune(database: Database, statements: Mapping[str, str], retention: timedelta) -> int:
    """Runs each statement until it finds less than a batch; how many rows that was, by all of them.

    A statement deletes at most `:limit` of what is older than `:retention`, and says how many it found. Its
    name is that of the table. Only by statement_timestamp() can an index be searched for what is old.
    """
    total = 0
    for table, statement in statements.items():
        found, deleted = BATCH, 0
        while found >= BATCH:
            found = (await database.fetch(statement, {"retention": retention, "limit": BATCH}))[0][0]
            deleted += found
            await asyncio.sleep(PAUSE_SECONDS)
        if deleted:
            log.info("old rows were deleted", action="pruned", table=table, rows=deleted)
        total += deleted
    return total


def keep_retention(
    lifetime: Lifetime, database: Database, statements: Mapping[str, str], *, days: int
) -> None:
    """Prunes now and every hour, for the life of the service."""

    async def work() -> None:
        await prune(database, statements, timedelta(days=days))

    lifetime.spawn(
        periodically(work, seconds=EVERY_SECONDS, stopping=lifetime.stopping, name="retention"), "retention"
    )
