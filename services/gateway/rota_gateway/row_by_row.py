"""Looks at each row of a job in the ledger, where sums alone do not tell what is wrong."""

import asyncio
from collections.abc import Sequence

from rota_gateway.domain.audit import Piece, gaps_of
from rota_gateway.domain.gaps import Gap
from rota_gateway.repository import audits
from rota_gateway.repository.connection import Connection, Row

MOST_ENTRIES = 50_000


async def gaps_in(connection: Connection, job: Row, due: Sequence[Piece]) -> list[Gap]:
    """What of a job differs, in its first 50,000 rows."""
    if not due:  # what the ledger has of it is from before there was the job
        return []
    after, until = due[0].after, due[-1].until
    entries = await audits.entries(connection, job["id"], after, until, MOST_ENTRIES)
    if len(entries) == MOST_ENTRIES:
        until = entries[-1].last
    return await asyncio.to_thread(gaps_of, due, entries, until)
