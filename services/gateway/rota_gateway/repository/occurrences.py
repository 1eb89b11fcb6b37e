from datetime import UTC, datetime, time, timedelta
from typing import Any
from uuid import UUID

from rota_gateway.repository.connection import Connection, Row, row, rows

# The ledger knows what is dispatched; that it runs, its attempt says.
STATE = """
    CASE WHEN o.state = 'dispatched' AND EXISTS (
        SELECT 1 FROM run_attempts a
        WHERE a.run_id = o.run_id AND a.attempt = o.attempt AND a.state = 'running')
    THEN 'running' ELSE o.state END
"""
COLUMNS = f"""
    o.run_id, o.job_id, o.context_id, o.scheduled_for, o.effective_at, o.trigger, {STATE} AS state, o.disposition,
    o.reason_code, o.reason, o.instants, o.last_instant, o.coalesced_into, o.stands_for, o.first_instant, o.attempt,
    o.priority, o.requested_by, o.not_before, o.created_at, o.dispatched_at, o.started_at, o.closed_at
"""


async def page_of_job(
    connection: Connection,
    job_id: UUID,
    after: tuple[datetime, UUID] | None,
    limit: int,
    *,
    disposition: str | None = None,
    trigger: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> list[Row]:
    """The ledger of a job, the latest instant first."""
    scheduled_for, run_id = after or (None, None)
    filters: dict[str, dict[str, Any]] = {
        "o.disposition = :disposition": {"disposition": disposition},
        "o.trigger = :trigger": {"trigger": trigger},
        "coalesce(o.last_instant, o.scheduled_for) >= :since": {"since": since},
        "o.scheduled_for <= :until": {"until": until},
        "(o.scheduled_for, o.run_id) < (:scheduled_for, :run_id)": {
            "scheduled_for": scheduled_for,
            "run_id": run_id,
        },
    }
    given = {text: values for text, values in filters.items() if None not in values.values()}
    conditions = " AND ".join(["o.job_id = :job_id", *given])
    return await rows(
        connection,
        f"""
        SELECT {COLUMNS} FROM occurrences o WHERE {conditions}
        ORDER BY o.scheduled_for DESC, o.run_id DESC LIMIT :limit
        """,
        job_id=job_id,
        limit=limit,
        **{name: value for values in given.values() for name, value in values.items()},
    )


async def around(connection: Connection, job_id: UUID, instant: datetime) -> list[Row]:
    """What the ledger says about a second, the scheduled row first: its own rows, and ranges around it."""
    return await rows(
        connection,
        f"""
        SELECT {COLUMNS} FROM occurrences o
        WHERE o.job_id = :job_id AND o.scheduled_for < :following
          AND coalesce(o.last_instant, date_trunc('second', o.scheduled_for)) >= :instant
        ORDER BY o.trigger <> 'schedule', o.instants, o.created_at LIMIT 10
        """,
        job_id=job_id,
        instant=instant,
        following=instant + timedelta(seconds=1),
    )


async def latest(connection: Connection, job_id: UUID, *triggers: str) -> datetime | None:
    """The last instant of these triggers that the ledger accounts for."""
    found = await row(
        connection,
        """
        SELECT max(coalesce(last_instant, scheduled_for)) AS instant FROM occurrences
        WHERE job_id = :job_id AND trigger = ANY (CAST(:triggers AS text[]))
        """,
        job_id=job_id,
        triggers=list(triggers),
    )
    return found["instant"] if found else None


async def since(connection: Connection) -> datetime:
    """Where the ledger begins: with its oldest month."""
    found = await row(
        connection,
        """
        SELECT min(to_date(right(c.relname, 7), 'YYYY_MM')) AS month
        FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = CAST('occurrences' AS regclass) AND c.relname ~ '^occurrences_[0-9]{4}_[0-9]{2}$'
        """,
    )
    month = found["month"] if found else None
    return datetime.combine(month, time(), UTC) if month else datetime.min.replace(tzinfo=UTC)
