"""Calendars: named days of a context on which jobs that name them are not due."""

from collections.abc import Collection
from datetime import date
from uuid import UUID

from rota_gateway.repository.connection import Connection, rows


async def dates_by_name(
    connection: Connection, context_id: UUID, names: Collection[str]
) -> dict[str, list[date]]:
    """The days of the calendars of these names, which nobody changes until the transaction ends."""
    if not names:
        return {}
    found = await rows(
        connection,
        """
        SELECT name, dates FROM calendars
        WHERE context_id = :context_id AND name = ANY (CAST(:names AS text[]))
        ORDER BY name FOR SHARE
        """,
        context_id=context_id,
        names=list(names),
    )
    return {one["name"]: one["dates"] for one in found}
