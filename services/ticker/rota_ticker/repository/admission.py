"""Who goes next: rooms, what waits, what is dispatched."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from rota_store import Connection, Database
from rota_ticker.domain.admission import Candidate
from rota_ticker.domain.attempts import Dispatched
from rota_ticker.repository.ledger import Key, key_columns

# Who changes what waits holds this lock until the transaction ends, so that two never admit into one place.
# Locks are taken in one order: timers, what is dispatched, this one, what is queued.
ADMISSION_LOCK = "SELECT pg_advisory_xact_lock(hashtext('rota admission'))"

# Walks from one context to the next over the index of what waits, however long each queue is.
WAITING_CONTEXTS = """
    WITH RECURSIVE waiting AS (
        (SELECT context_id FROM occurrences WHERE state = 'queued' ORDER BY context_id, priority LIMIT 1)
        UNION ALL
        SELECT (SELECT o.context_id FROM occurrences o WHERE o.state = 'queued' AND o.context_id > w.context_id
                ORDER BY o.context_id, o.priority LIMIT 1)
        FROM waiting w WHERE w.context_id IS NOT NULL
    )
    SELECT context_id FROM waiting WHERE context_id IS NOT NULL
"""

# Takes the lock, and looks after it has it: a function of PostgreSQL, for one way there and back instead of two.
ROOMS = "SELECT context_id, room, looked_at FROM rota_rooms(CAST(:contexts AS uuid[]))"

# As above: takes the lock, then looks.
WAITING = "SELECT rota_waiting(CAST(:contexts AS uuid[]))"

# Of each context, what fits into the room that it has: the first by priority and age that nothing holds back.
CANDIDATES = """
    WITH limited AS MATERIALIZED (
        SELECT x.context_id, a.name, a.max_concurrent_runs - (
                SELECT count(*) FROM occurrences d JOIN scheduled_jobs dj ON dj.id = ANY (ARRAY[d.job_id])
                WHERE d.context_id = x.context_id AND d.state = 'dispatched'
                  AND dj.agent_name = a.name AND dj.tool IS NULL) AS room
        FROM unnest(CAST(:contexts AS uuid[])) AS x (context_id)
        JOIN agent_configurations a ON a.max_concurrent_runs IS NOT NULL
            AND (a.context_id = x.context_id OR a.context_id IS NULL AND NOT EXISTS (
                SELECT 1 FROM agent_configurations s WHERE s.context_id = x.context_id AND s.name = a.name))
    )
    SELECT o.run_id, o.scheduled_for, o.job_id, c.id, o.priority, o.effective_at, o.is_exclusive,
           coalesce(o.agent_name, ''), o.room
    FROM unnest(CAST(:contexts AS uuid[])) AS x (context_id)
    JOIN contexts c ON c.id = ANY (ARRAY[x.context_id])
    CROSS JOIN LATERAL (
        SELECT c.max_concurrent_runs - count(*) AS room FROM occurrences d
        WHERE d.context_id = c.id AND d.state = 'dispatched') b
    CROSS JOIN LATERAL (
        SELECT q.run_id, q.scheduled_for, q.job_id, q.priority, q.effective_at, q.is_exclusive, j.agent_name, l.room
        FROM occurrences q
        LEFT JOIN scheduled_jobs j ON j.id = ANY (ARRAY[q.job_id])
        LEFT JOIN limited l ON j.tool IS NULL AND l.context_id = q.context_id AND l.name = j.agent_name
        WHERE q.context_id = c.id AND q.state = 'queued' AND q.not_before <= statement_timestamp()
          AND (l.room IS NULL OR l.room > 0)
          AND (NOT q.is_exclusive OR NOT EXISTS (
                SELECT 1 FROM occurrences d WHERE d.job_id = q.job_id AND d.closed_at IS NULL
                AND (d.state = 'dispatched' OR (q.attempt = 1 AND d.attempt > 1)
                     OR (d.priority, d.effective_at, d.run_id) < (q.priority, q.effective_at, q.run_id)
                        AND d.attempt = q.attempt)))
        ORDER BY q.priority, q.effective_at, q.run_id
        LIMIT least(greatest(b.room, 0), :limit)
    ) o
"""

RUN = """
    o.run_id, o.job_id, o.context_id, o.scheduled_for, o.effective_at, o.trigger, o.attempt, o.failures, o.losses,
    o.stands_for, o.first_instant, o.prompt_context, o.resumes
"""

DISPATCH = f"""
    UPDATE occurrences o
    SET state = 'dispatched', dispatched_at = clock_timestamp(),
        check_at = clock_timestamp() + CAST(:grace AS interval)
    FROM unnest(CAST(:run_ids AS uuid[]), CAST(:instants AS timestamptz[])) AS u (run_id, scheduled_for)
    WHERE o.run_id = ANY (ARRAY[u.run_id]) AND o.scheduled_for IS NOT DISTINCT FROM u.scheduled_for AND o.state || '' = 'queued'
    RETURNING {RUN}
"""

# Dispatched a while ago and begun by nobody: it is said again, under the same message id.
SAY_AGAIN = f"""
    WITH unheard AS (
        SELECT d.run_id, d.scheduled_for FROM occurrences d
        WHERE d.state = 'dispatched' AND d.check_at <= statement_timestamp()
          AND NOT EXISTS (SELECT 1 FROM run_attempts a WHERE a.run_id = ANY (ARRAY[d.run_id]) AND a.attempt = d.attempt)
        FOR UPDATE OF d SKIP LOCKED
    )
    UPDATE occurrences o SET check_at = clock_timestamp() + CAST(:after AS interval)
    FROM unheard u WHERE o.run_id = ANY (ARRAY[u.run_id]) AND o.scheduled_for IS NOT DISTINCT FROM u.scheduled_for
    RETURNING {RUN}
"""

# What has run before and is not to run again: its executor finds that it is cancelled, and ends it.
END_RETRIES = f"""
    UPDATE occurrences o
    SET state = 'dispatched', dispatched_at = clock_timestamp(),
        check_at = clock_timestamp() + CAST(:grace AS interval), cancelled_at = clock_timestamp(),
        cancel_reason = u.reason
    FROM unnest(CAST(:run_ids AS uuid[]), CAST(:instants AS timestamptz[]), CAST(:reasons AS text[]))
        AS u (run_id, scheduled_for, reason)
    WHERE o.run_id = ANY (ARRAY[u.run_id]) AND o.scheduled_for IS NOT DISTINCT FROM u.scheduled_for AND o.state || '' = 'queued' AND o.attempt > 1
    RETURNING {RUN}
"""

CHECK_SOON = """
    UPDATE occurrences o SET check_at = clock_timestamp()
    FROM unnest(CAST(:run_ids AS uuid[]), CAST(:instants AS timestamptz[])) AS u (run_id, scheduled_for)
    WHERE o.run_id = ANY (ARRAY[u.run_id]) AND o.scheduled_for IS NOT DISTINCT FROM u.scheduled_for AND o.state || '' = 'dispatched'
"""

# What was written before the clock was set back is ahead of it. What waits goes on waiting for as long as it
# would have, and what was dispatched is looked at as soon as if it had been just now.
CHECK_NO_LATER = """
    WITH ahead AS (
        SELECT d.run_id, d.scheduled_for FROM occurrences d
        WHERE d.state = 'dispatched' AND d.check_at > clock_timestamp() + CAST(:after AS interval)
        FOR UPDATE SKIP LOCKED
    )
    UPDATE occurrences o SET check_at = clock_timestamp() + CAST(:after AS interval)
    FROM ahead a WHERE o.run_id = ANY (ARRAY[a.run_id]) AND o.scheduled_for IS NOT DISTINCT FROM a.scheduled_for
"""
WAIT_NO_LONGER = """
    UPDATE occurrences o
    SET not_before = o.not_before - w.ahead, expires_at = o.expires_at - w.ahead, queued_at = clock_timestamp()
    FROM (SELECT q.run_id, q.scheduled_for, coalesce(q.queued_at, q.created_at) - clock_timestamp() AS ahead
          FROM occurrences q
          WHERE q.state = 'queued' AND coalesce(q.queued_at, q.created_at) > clock_timestamp()) w
    WHERE o.run_id = ANY (ARRAY[w.run_id]) AND o.scheduled_for IS NOT DISTINCT FROM w.scheduled_for AND o.state || '' = 'queued'
"""


async def lock_admission(connection: Connection) -> None:
    await connection.fetch(ADMISSION_LOCK)


async def rooms(connection: Connection, contexts: Iterable[UUID]) -> tuple[dict[UUID, int], datetime | None]:
    """Locks the admission; how many runs each context has room for, and the clock.

    None where somebody waits, or an agent has a limit of its own.
    """
    rows = await connection.fetch(ROOMS, {"contexts": list(contexts)})
    return {row[0]: row[1] for row in rows}, rows[0][2] if rows else None


async def waiting(connection: Connection, contexts: Iterable[UUID]) -> list[UUID]:
    """Locks the admission; those of the contexts in which somebody waits."""
    return [row[0] for row in await connection.fetch(WAITING, {"contexts": list(contexts)})]


async def waiting_contexts(connection: Connection) -> list[UUID]:
    return [row[0] for row in await connection.fetch(WAITING_CONTEXTS)]


async def candidates(connection: Connection, contexts: Iterable[UUID], limit: int) -> list[Candidate]:
    """What waits and fits into the room of its context, in order of priority and age within each."""
    rows = await connection.fetch(CANDIDATES, {"contexts": list(contexts), "limit": limit})
    return [Candidate(*row) for row in rows]


async def dispatch(connection: Connection, keys: Sequence[Key], grace: timedelta) -> list[Dispatched]:
    return _runs(await connection.fetch(DISPATCH, {**key_columns(keys), "grace": grace}))


async def end_retries(
    connection: Connection, reasons: Mapping[Key, str], grace: timedelta
) -> list[Dispatched]:
    """Dispatches those that wait for another attempt, to be ended with the reason instead."""
    values = {**key_columns(list(reasons)), "reasons": list(reasons.values()), "grace": grace}
    return _runs(await connection.fetch(END_RETRIES, values))


async def say_again(connection: Connection, after: timedelta) -> list[Dispatched]:
    return _runs(await connection.fetch(SAY_AGAIN, {"after": after}))


async def check_soon(database: Database, keys: Sequence[Key]) -> None:
    await database.execute(CHECK_SOON, key_columns(keys))


def _runs(rows: Iterable[Any]) -> list[Dispatched]:
    return [Dispatched(*row) for row in rows]


async def follow_the_clock_back(connection: Connection, after: timedelta) -> int:
    """Sets what waits by the clock as it is now, after it was set back; how many occurrences.

    What is dispatched is looked at within `after`. Called again, it finds nothing more.
    """
    checked = await connection.execute(CHECK_NO_LATER, {"after": after})
    await lock_admission(connection)
    return checked + await connection.execute(WAIT_NO_LONGER)
