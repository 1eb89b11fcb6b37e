"""What people asked for: runs, their end, and that they go on; as the gateway wrote it."""

from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from rota_store import Connection
from rota_ticker.domain.requests import Request
from rota_ticker.repository.jobs import JOB, job_of

# What is older than the ledger is kept was in it once: that it is not there now means nothing.
PENDING = """
    WHERE r.changed_xid >= CAST(CAST(:horizon AS text) AS xid8)
      AND r.created_at > clock_timestamp() - CAST(:retention AS interval)
      AND NOT EXISTS (SELECT 1 FROM occurrences o WHERE o.run_id = ANY (ARRAY[r.run_id])
                      AND o.scheduled_for IS NOT DISTINCT FROM coalesce(r.scheduled_for, r.created_at))
"""

# Before the requests are read: another ticker may have entered them while this one waited for the lock.
LOCK = f"""
    WITH pending AS MATERIALIZED (SELECT r.job_id FROM run_requests r {PENDING} ORDER BY r.changed_xid LIMIT :limit)
    SELECT t.job_id, (SELECT count(*) FROM pending) FROM job_timers t
    WHERE t.job_id IN (SELECT job_id FROM pending) ORDER BY t.job_id FOR UPDATE OF t
"""

NEW = f"""
    SELECT {JOB}, r.run_id, r.trigger, coalesce(r.scheduled_for, r.created_at) AS asked_for,
           r.overlap_policy AS overlap, r.requested_by,
           r.prompt_context,
           NOT j.is_enabled OR coalesce(j.paused_until > statement_timestamp(), false)
               OR (t.paused_at IS NOT NULL AND (j.resumed_at IS NULL OR j.resumed_at < t.paused_at))
               AS is_paused
    FROM run_requests r JOIN scheduled_jobs j ON j.id = ANY (ARRAY[r.job_id]) JOIN job_timers t ON t.job_id = ANY (ARRAY[r.job_id])
    {PENDING} AND r.job_id = ANY (CAST(:locked AS uuid[]))
    ORDER BY r.job_id, r.created_at, r.scheduled_for LIMIT :limit
"""

CANCELLATIONS = """
    SELECT c.run_id, c.scheduled_for, c.reason
    FROM run_cancellations c
    JOIN occurrences o ON o.run_id = ANY (ARRAY[c.run_id]) AND o.scheduled_for IS NOT DISTINCT FROM c.scheduled_for
    WHERE c.changed_xid >= CAST(CAST(:horizon AS text) AS xid8)
      AND o.state <> 'closed' AND o.cancelled_at IS NULL
    ORDER BY c.changed_xid LIMIT :limit
"""


# What ended with calls that waited for a person, and was decided upon; perhaps before its end is in the ledger.
RESUMPTIONS = """
    SELECT r.run_id, r.scheduled_for, r.attempt
    FROM run_resumptions r
    JOIN occurrences o ON o.run_id = ANY (ARRAY[r.run_id]) AND o.scheduled_for IS NOT DISTINCT FROM r.scheduled_for AND o.attempt = r.attempt
    WHERE r.changed_xid >= CAST(CAST(:horizon AS text) AS xid8) AND (o.state <> 'closed' OR o.disposition = 'ran')
    ORDER BY r.run_id LIMIT :limit
"""


# What nobody decided upon in time goes on as well: the call counts as denied. Those who decide are given until
# the last moment, and a little to commit.
EXPIRED = """
    WITH late AS MATERIALIZED (
        SELECT DISTINCT run_id FROM pending_actions
        WHERE status = 'pending' AND expires_at <= statement_timestamp() - interval '5 seconds'
    )
    SELECT o.run_id, o.scheduled_for, o.attempt
    FROM late l JOIN occurrences o ON o.run_id = ANY (ARRAY[l.run_id])
    WHERE o.disposition = 'ran' AND o.reason_code = 'partial'
    LIMIT :limit
"""


class Resumption(NamedTuple):
    """A run that goes on where its `attempt` parked."""

    run_id: UUID
    scheduled_for: datetime
    attempt: int


class Cancellation(NamedTuple):
    run_id: UUID
    scheduled_for: datetime
    reason: str


async def new(
    connection: Connection, horizon: str, limit: int, retention: timedelta
) -> tuple[list[Request], bool]:
    """Requests since the horizon that are not in the ledger, which is kept so long, and whether these are all.

    The timers of their jobs are locked.
    """
    values = {"horizon": horizon, "limit": limit, "retention": retention}
    locked = await connection.fetch(LOCK, values)
    if not locked:
        return [], True
    rows = await connection.fetch(NEW, {**values, "locked": [row[0] for row in locked]})
    found = [
        Request(
            run_id=row.run_id,
            job=job_of(row),
            trigger=row.trigger,
            scheduled_for=row.asked_for,
            overlap_policy=row.overlap,
            requested_by=row.requested_by,
            prompt_context=row.prompt_context,
            is_paused=row.is_paused,
        )
        for row in rows
    ]
    return found, len(found) < limit and locked[0][1] < limit


async def cancellations(connection: Connection, horizon: str, limit: int) -> list[Cancellation]:
    rows = await connection.fetch(CANCELLATIONS, {"horizon": horizon, "limit": limit})
    return [Cancellation(*row) for row in rows]


async def resumptions(connection: Connection, horizon: str, limit: int) -> list[Resumption]:
    rows = await connection.fetch(RESUMPTIONS, {"horizon": horizon, "limit": limit})
    return [Resumption(*row) for row in rows]


async def expired(connection: Connection, limit: int) -> list[Resumption]:
    """Parked runs that somebody should have decided upon by now."""
    return [Resumption(*row) for row in await connection.fetch(EXPIRED, {"limit": limit})]
