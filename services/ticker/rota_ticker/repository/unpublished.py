"""Events that are committed and perhaps not said: of each transaction one row, until the stream has them."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from rota_contracts.codec import MalformedEventError, decode_payload, encode_payload
from rota_contracts.events import Event
from rota_store import Connection, Database

KEEP = """
    INSERT INTO unpublished_events (types, payloads)
    VALUES (CAST(:types AS text[]), CAST(:payloads AS text[])) RETURNING id
"""

DROP = "DELETE FROM unpublished_events WHERE id = :id"

TAKE = """
    DELETE FROM unpublished_events WHERE id IN (
        SELECT id FROM unpublished_events WHERE created_at <= statement_timestamp() - CAST(:after AS interval)
        ORDER BY created_at LIMIT 20 FOR UPDATE SKIP LOCKED)
    RETURNING types, payloads
"""


async def keep(connection: Connection, events: Sequence[Event]) -> UUID:
    """The id of the row that holds them."""
    rows = await connection.fetch(
        KEEP,
        {
            "types": [event.TYPE for event in events],
            "payloads": [encode_payload(event).decode() for event in events],
        },
    )
    kept: UUID = rows[0][0]
    return kept


async def drop(database: Database, kept: UUID) -> None:
    """They are said."""
    await database.execute(DROP, {"id": kept})


async def take(connection: Connection, after: timedelta) -> tuple[list[Event], list[str]]:
    """Removes what is at least so old; the events to say before the commit, and why others cannot be read."""
    events: list[Event] = []
    problems: list[str] = []
    for row in await connection.fetch(TAKE, {"after": after}):
        for name, payload in zip(row.types, row.payloads, strict=True):
            try:
                events.append(decode_payload(name, payload.encode()))
            except MalformedEventError as error:
                problems.append(str(error))
    return events, problems
