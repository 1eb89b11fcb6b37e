"""Calendars, and the days that jobs have of them."""

from collections.abc import Collection, Sequence
from datetime import date, datetime
from uuid import UUID

from rota_gateway.errors import NotFoundError
from rota_gateway.repository.connection import Connection, Row, row, rows, run

SELECT = """
    SELECT c.id, c.context_id, c.name, c.dates, c.created_at, c.updated_at,
           (SELECT count(*) FROM scheduled_jobs j
            WHERE j.context_id = c.context_id AND c.name = ANY (j.calendars)) AS job_count
    FROM calendars c
"""


async def page_of_context(
    connection: Connection, context_id: UUID, after: tuple[datetime, UUID] | None, limit: int
) -> list[Row]:
    """Oldest first."""
    created_at, calendar_id = after or (None, None)
    return await rows(
        connection,
        f"""
        {SELECT}
        WHERE c.context_id = :context_id
          AND (CAST(:created_at AS timestamptz) IS NULL OR (c.created_at, c.id) > (:created_at, :calendar_id))
        ORDER BY c.created_at, c.id LIMIT :limit
        """,
        context_id=context_id,
        created_at=created_at,
        calendar_id=calendar_id,
        limit=limit,
    )


async def get(connection: Connection, calendar_id: UUID) -> Row | None:
    return await row(connection, f"{SELECT} WHERE c.id = :id", id=calendar_id)


async def lock(connection: Connection, calendar_id: UUID) -> Row:
    """Held until the transaction ends: no job takes its days over meanwhile."""
    found = await row(connection, "SELECT * FROM calendars WHERE id = :id FOR UPDATE", id=calendar_id)
    if found is None:
        raise NotFoundError("calendar")
    return found


async def add(connection: Connection, context_id: UUID, name: str, dates: Sequence[date]) -> UUID:
    added = await row(
        connection,
        "INSERT INTO calendars (context_id, name, dates) VALUES (:context_id, :name, :dates) RETURNING id",
        context_id=context_id,
        name=name,
        dates=list(dates),
    )
    assert added is not None
    calendar_id: UUID = added["id"]
    return calendar_id


async def update(connection: Connection, calendar_id: UUID, *, name: str, dates: Sequence[date]) -> None:
    await run(
        connection,
        "UPDATE calendars SET name = :name, dates = :dates, updated_at = clock_timestamp() WHERE id = :id",
        id=calendar_id,
        name=name,
        dates=list(dates),
    )


async def delete(connection: Connection, calendar_id: UUID) -> None:
    await run(connection, "DELETE FROM calendars WHERE id = :id", id=calendar_id)


async def follow(connection: Connection, context_id: UUID, *, before: str, name: str) -> list[Row]:
    """Gives the jobs that name a calendar (as it was called before) its name and its days; the changed ones."""
    return await rows(
        connection,
        """
        WITH naming AS (
            SELECT j.id, array_replace(j.calendars, :before, :name) AS names
            FROM scheduled_jobs j WHERE j.context_id = :context_id AND :before = ANY (j.calendars)
        ), resolved AS (
            SELECT n.id, n.names, coalesce((
                SELECT array_agg(DISTINCT day ORDER BY day) FROM calendars c CROSS JOIN unnest(c.dates) AS day
                WHERE c.context_id = :context_id AND c.name = ANY (n.names)), '{}') AS dates
            FROM naming n
        )
        UPDATE scheduled_jobs j SET calendars = r.names, calendar_dates = r.dates
        FROM resolved r
        WHERE j.id = r.id AND (j.calendars, j.calendar_dates) IS DISTINCT FROM (r.names, r.dates)
        RETURNING j.id, j.context_id, j.generation
        """,
        context_id=context_id,
        before=before,
        name=name,
    )


async def jobs_naming(connection: Connection, context_id: UUID, name: str) -> list[str]:
    """The names of the jobs that name the calendar."""
    found = await rows(
        connection,
        "SELECT name FROM scheduled_jobs WHERE context_id = :id AND :name = ANY (calendars) ORDER BY name",
        id=context_id,
        name=name,
    )
    return [one["name"] for one in found]


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
