"""The ledger: what becomes of each occurrence, written once and closed once."""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from rota_contracts.events import Disposition, JobCompleted, Trigger
from rota_store import Connection, Database
from rota_ticker.domain.admission import Candidate
from rota_ticker.domain.attempts import Dispatched, ending_reason
from rota_ticker.domain.jobs import Occurrence, Standing
from rota_ticker.domain.leaps import Leap

# Read after the timers of these jobs are locked: whoever opens a run of a job holds that lock.
STANDINGS = """
    SELECT job_id, count(*) FILTER (WHERE state = 'queued' AND attempt = 1),
           count(*) FILTER (WHERE state = 'dispatched' OR attempt > 1)
    FROM occurrences WHERE job_id = ANY (CAST(:job_ids AS uuid[])) AND closed_at IS NULL GROUP BY job_id
"""

ENTER = """
    INSERT INTO occurrences
        (run_id, job_id, context_id, scheduled_for, effective_at, trigger, state, disposition, reason_code, reason,
         instants, last_instant, coalesced_into, stands_for, first_instant, priority, is_exclusive, requested_by,
         prompt_context, not_before, expires_at, closed_at, dispatched_at, check_at)
    SELECT u.run_id, u.job_id, u.context_id, u.scheduled_for, u.effective_at, u.trigger,
           CASE WHEN u.disposition IS NOT NULL THEN 'closed' WHEN u.goes THEN 'dispatched' ELSE 'queued' END,
           u.disposition, u.reason_code, u.reason,
           u.instants, u.last_instant, u.coalesced_into, u.stands_for, u.first_instant, u.priority, u.is_exclusive,
           u.requested_by, u.prompt_context, greatest(now(), u.effective_at),
           clock_timestamp() + make_interval(secs => u.queue_ttl_seconds),
           CASE WHEN u.disposition IS NOT NULL THEN clock_timestamp() END,
           CASE WHEN u.goes THEN clock_timestamp() END,
           CASE WHEN u.goes THEN clock_timestamp() + CAST(:grace AS interval) END
    FROM unnest(CAST(:run_id AS uuid[]), CAST(:job_id AS uuid[]), CAST(:context_id AS uuid[]),
                CAST(:scheduled_for AS timestamptz[]), CAST(:effective_at AS timestamptz[]),
                CAST(:trigger AS text[]), CAST(:disposition AS text[]), CAST(:reason_code AS text[]),
                CAST(:reason AS text[]), CAST(:instants AS int[]), CAST(:last_instant AS timestamptz[]),
                CAST(:coalesced_into AS uuid[]), CAST(:stands_for AS int[]), CAST(:first_instant AS timestamptz[]),
                CAST(:priority AS smallint[]), CAST(:is_exclusive AS boolean[]), CAST(:requested_by AS uuid[]),
                CAST(:prompt_context AS text[]), CAST(:queue_ttl_seconds AS int[]), CAST(:goes AS boolean[]))
        AS u (run_id, job_id, context_id, scheduled_for, effective_at, trigger, disposition, reason_code, reason,
              instants, last_instant, coalesced_into, stands_for, first_instant, priority, is_exclusive,
              requested_by, prompt_context, queue_ttl_seconds, goes)
    JOIN contexts c ON c.id = u.context_id
    ON CONFLICT DO NOTHING
    RETURNING run_id
"""
ENTERED_COLUMNS = [
    "run_id",
    "job_id",
    "context_id",
    "scheduled_for",
    "effective_at",
    "trigger",
    "disposition",
    "reason_code",
    "reason",
    "instants",
    "last_instant",
    "coalesced_into",
    "stands_for",
    "first_instant",
    "priority",
    "is_exclusive",
    "requested_by",
    "prompt_context",
    "queue_ttl_seconds",
]

# Who changes what waits holds this lock until the transaction ends, so that two never admit into one place.
# Locks are taken in one order: timers, what is dispatched, this one, what is queued.
ADMISSION_LOCK = "SELECT pg_advisory_xact_lock(hashtext('rota admission'))"

# Walks from one context to the next over the index of what waits, however long each queue is.
WAITING_CONTEXTS = """
    WITH RECURSIVE waiting AS (
        (SELECT context_id FROM occurrences WHERE state = 'queued' ORDER BY context_id LIMIT 1)
        UNION ALL
        SELECT (SELECT o.context_id FROM occurrences o WHERE o.state = 'queued' AND o.context_id > w.context_id
                ORDER BY o.context_id LIMIT 1)
        FROM waiting w WHERE w.context_id IS NOT NULL
    )
    SELECT context_id FROM waiting WHERE context_id IS NOT NULL
"""

ROOMS = """
    SELECT c.id, CASE
        WHEN EXISTS (SELECT 1 FROM occurrences q WHERE q.context_id = c.id AND q.state = 'queued')
          OR EXISTS (SELECT 1 FROM agent_configurations a WHERE a.max_concurrent_runs IS NOT NULL
                     AND (a.context_id = c.id OR a.context_id IS NULL)) THEN 0
        ELSE c.max_concurrent_runs
             - (SELECT count(*) FROM occurrences d WHERE d.context_id = c.id AND d.state = 'dispatched') END,
        clock_timestamp()
    FROM contexts c WHERE c.id = ANY (CAST(:contexts AS uuid[]))
"""

# Of each context, what fits into the room that it has: the first by priority and age that nothing holds back.
CANDIDATES = """
    WITH limited AS MATERIALIZED (
        SELECT x.context_id, a.name, a.max_concurrent_runs - (
                SELECT count(*) FROM occurrences d JOIN scheduled_jobs dj ON dj.id = d.job_id
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
    JOIN contexts c ON c.id = x.context_id
    CROSS JOIN LATERAL (
        SELECT c.max_concurrent_runs - count(*) AS room FROM occurrences d
        WHERE d.context_id = c.id AND d.state = 'dispatched') b
    CROSS JOIN LATERAL (
        SELECT q.run_id, q.scheduled_for, q.job_id, q.priority, q.effective_at, q.is_exclusive, j.agent_name, l.room
        FROM occurrences q
        LEFT JOIN scheduled_jobs j ON j.id = q.job_id
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
    o.stands_for, o.first_instant, o.prompt_context
"""

DISPATCH = f"""
    UPDATE occurrences o
    SET state = 'dispatched', dispatched_at = clock_timestamp(),
        check_at = clock_timestamp() + CAST(:grace AS interval)
    FROM unnest(CAST(:run_ids AS uuid[]), CAST(:instants AS timestamptz[])) AS u (run_id, scheduled_for)
    WHERE o.run_id = u.run_id AND o.scheduled_for = u.scheduled_for AND o.state = 'queued'
    RETURNING {RUN}
"""

# Dispatched a while ago and begun by nobody: it is said again, under the same message id.
SAY_AGAIN = f"""
    WITH unheard AS (
        SELECT d.run_id, d.scheduled_for FROM occurrences d
        WHERE d.state = 'dispatched' AND d.check_at <= statement_timestamp()
          AND NOT EXISTS (SELECT 1 FROM run_attempts a WHERE a.run_id = d.run_id AND a.attempt = d.attempt)
        FOR UPDATE OF d SKIP LOCKED
    )
    UPDATE occurrences o SET check_at = clock_timestamp() + CAST(:after AS interval)
    FROM unheard u WHERE o.run_id = u.run_id AND o.scheduled_for = u.scheduled_for
    RETURNING {RUN}
"""

CHECK_SOON = """
    UPDATE occurrences o SET check_at = clock_timestamp()
    FROM unnest(CAST(:run_ids AS uuid[]), CAST(:instants AS timestamptz[])) AS u (run_id, scheduled_for)
    WHERE o.run_id = u.run_id AND o.scheduled_for = u.scheduled_for AND o.state = 'dispatched'
"""

CLOSED = """
    o.run_id, o.job_id, o.context_id, o.scheduled_for, o.trigger, o.disposition, o.reason_code, o.reason, o.instants,
    o.last_instant
"""

CLOSE = f"""
    UPDATE occurrences o
    SET state = 'closed', disposition = :disposition, reason_code = :code, reason = u.reason,
        closed_at = clock_timestamp()
    FROM unnest(CAST(:run_ids AS uuid[]), CAST(:instants AS timestamptz[]), CAST(:reasons AS text[]))
        AS u (run_id, scheduled_for, reason)
    WHERE o.run_id = u.run_id AND o.scheduled_for = u.scheduled_for AND o.state = :state
      AND (o.state <> 'queued' OR o.attempt = 1)
    RETURNING {CLOSED}
"""

EXPIRE = f"""
    UPDATE occurrences o
    SET state = 'closed', disposition = 'missed', reason_code = 'queue_ttl', closed_at = clock_timestamp(),
        reason = 'it waited longer than the job allows'
    WHERE o.state = 'queued' AND o.expires_at <= statement_timestamp()
    RETURNING {CLOSED}
"""

CLOSE_RAN = """
    UPDATE occurrences o
    SET state = 'closed', disposition = 'ran', reason_code = u.code, reason = u.reason,
        closed_at = clock_timestamp(), started_at = u.started_at
    FROM unnest(CAST(:run_ids AS uuid[]), CAST(:instants AS timestamptz[]), CAST(:attempts AS int[]),
                CAST(:codes AS text[]), CAST(:reasons AS text[]), CAST(:started AS timestamptz[]))
        AS u (run_id, scheduled_for, attempt, code, reason, started_at)
    WHERE o.run_id = u.run_id AND o.scheduled_for = u.scheduled_for AND o.attempt = u.attempt
      AND o.state <> 'closed'
    RETURNING o.run_id, o.context_id
"""

FAILED = """
    SELECT o.run_id, o.scheduled_for, o.failures + 1 AS failures, coalesce(j.retry_backoff, 'fixed') AS backoff,
           coalesce(j.retry_backoff_seconds, 1) AS first_seconds,
           coalesce(j.retry_backoff_max_seconds, 1) AS longest_seconds
    FROM unnest(CAST(:run_ids AS uuid[]), CAST(:instants AS timestamptz[]), CAST(:attempts AS int[]))
        AS u (run_id, scheduled_for, attempt)
    JOIN occurrences o ON o.run_id = u.run_id AND o.scheduled_for = u.scheduled_for AND o.attempt = u.attempt
    LEFT JOIN scheduled_jobs j ON j.id = o.job_id
    WHERE o.state <> 'closed'
    ORDER BY o.run_id
    FOR UPDATE OF o
"""

# A retry keeps the occurrence open: the next attempt, after the backoff of the job.
QUEUE_RETRIES = """
    UPDATE occurrences o
    SET state = 'queued', attempt = o.attempt + 1, failures = o.failures + 1, dispatched_at = NULL, check_at = NULL,
        expires_at = NULL,
        not_before = clock_timestamp() + CASE WHEN o.cancelled_at IS NULL THEN u.delay ELSE interval '0' END
    FROM unnest(CAST(:run_ids AS uuid[]), CAST(:instants AS timestamptz[]), CAST(:delays AS interval[]))
        AS u (run_id, scheduled_for, delay)
    WHERE o.run_id = u.run_id AND o.scheduled_for = u.scheduled_for AND o.state <> 'closed'
"""

# The executor that held the attempt vanished (lease over) or handed it back (released). An outcome that was
# written within the lease may still be on its way to its commit: it has two seconds.
QUEUE_LOST = """
    WITH lost AS (
        SELECT d.run_id, d.scheduled_for, a.state, a.executor
        FROM run_attempts a JOIN occurrences d ON d.run_id = a.run_id AND d.attempt = a.attempt
        WHERE (a.state = 'released' OR a.lease_until <= CAST(:over AS timestamptz)
                 AND (a.lease_until > :leapt_to OR a.lease_until <= CAST(:over AS timestamptz) - CAST(:leap AS interval)))
          AND a.state <> 'ended' AND d.state = 'dispatched'
        FOR UPDATE OF d SKIP LOCKED
    )
    UPDATE occurrences o
    SET state = 'queued', attempt = o.attempt + 1, dispatched_at = NULL, check_at = NULL, expires_at = NULL,
        not_before = clock_timestamp(), losses = o.losses + CASE WHEN l.state = 'running' THEN 1 ELSE 0 END
    FROM lost l WHERE o.run_id = l.run_id AND o.scheduled_for = l.scheduled_for
    RETURNING o.run_id, o.job_id, o.context_id, o.attempt, l.state, l.executor
"""

# The attempt ended, and its completion never reached the ticker (the stream was lost).
UNHEARD_OUTCOMES = """
    SELECT CAST(a.outcome AS text)
    FROM occurrences o JOIN run_attempts a ON a.run_id = o.run_id AND a.attempt = o.attempt
    WHERE o.state = 'dispatched' AND a.state = 'ended'
      AND a.ended_at <= statement_timestamp() - CAST(:after AS interval)
    LIMIT 500
"""

OPEN_OF_JOBS = """
    SELECT o.run_id, o.scheduled_for FROM occurrences o
    WHERE o.job_id = ANY (CAST(:job_ids AS uuid[])) AND o.closed_at IS NULL
"""

# What runs is asked to stop; what it comes to, its executor says. Who holds one of them is about to say so.
CANCEL = """
    WITH running AS (
        SELECT d.run_id, d.scheduled_for, u.reason
        FROM unnest(CAST(:run_ids AS uuid[]), CAST(:instants AS timestamptz[]), CAST(:reasons AS text[]))
            AS u (run_id, scheduled_for, reason)
        JOIN occurrences d ON d.run_id = u.run_id AND d.scheduled_for = u.scheduled_for
        WHERE d.state = 'dispatched' AND d.cancelled_at IS NULL
        FOR UPDATE OF d SKIP LOCKED
    )
    UPDATE occurrences o SET cancelled_at = clock_timestamp(), cancel_reason = r.reason
    FROM running r WHERE o.run_id = r.run_id AND o.scheduled_for = r.scheduled_for
    RETURNING o.run_id, o.job_id, o.context_id, o.cancel_reason
"""

# What has run before and is not to run again: its executor finds that it is cancelled, and ends it.
END_RETRIES = f"""
    UPDATE occurrences o
    SET state = 'dispatched', dispatched_at = clock_timestamp(),
        check_at = clock_timestamp() + CAST(:grace AS interval), cancelled_at = clock_timestamp(),
        cancel_reason = u.reason
    FROM unnest(CAST(:run_ids AS uuid[]), CAST(:instants AS timestamptz[]), CAST(:reasons AS text[]))
        AS u (run_id, scheduled_for, reason)
    WHERE o.run_id = u.run_id AND o.scheduled_for = u.scheduled_for AND o.state = 'queued' AND o.attempt > 1
    RETURNING {RUN}
"""

# How long an outcome that was written within its lease may be on its way to its commit.
LATE_COMMIT = timedelta(seconds=2)

KEEP_MONTHS = "SELECT rota_keep_months(CAST(:retention AS interval))"


class Closed(NamedTuple):
    """A row that was closed without a run."""

    run_id: UUID
    job_id: UUID
    context_id: UUID
    scheduled_for: datetime
    trigger: Trigger
    disposition: Disposition
    reason_code: str
    reason: str
    instants: int
    last_instant: datetime | None


class Lost(NamedTuple):
    """An attempt that was taken from its executor; `attempt` is the next one."""

    run_id: UUID
    job_id: UUID
    context_id: UUID
    attempt: int
    state: str
    executor: str


class Cancelled(NamedTuple):
    run_id: UUID
    job_id: UUID
    context_id: UUID
    reason: str


class Failed(NamedTuple):
    """A failed attempt that another one will follow."""

    run_id: UUID
    scheduled_for: datetime
    failures: int
    backoff: Any
    first_seconds: int
    longest_seconds: int


Key = tuple[UUID, datetime]


async def standings(connection: Connection, job_ids: Iterable[UUID]) -> dict[UUID, Standing]:
    """The open occurrences of the jobs, whose timers are locked."""
    rows = await connection.fetch(STANDINGS, {"job_ids": list(job_ids)})
    return {row[0]: Standing(row[1], row[2]) for row in rows}


async def rooms(connection: Connection, contexts: Iterable[UUID]) -> tuple[dict[UUID, int], datetime | None]:
    """How many runs each context has room for, and the clock.

    None where somebody waits, or an agent has a limit of its own.
    """
    rows = await connection.fetch(ROOMS, {"contexts": list(contexts)})
    return {row[0]: row[1] for row in rows}, rows[0][2] if rows else None


async def enter(
    connection: Connection, rows: Sequence[Occurrence], going: AbstractSet[UUID], grace: timedelta
) -> set[UUID]:
    """The ids that were new; an instant that has its row already keeps it. Those `going` are dispatched."""
    values: dict[str, Any] = {name: [getattr(row, name) for row in rows] for name in ENTERED_COLUMNS}
    values |= {"goes": [row.run_id in going for row in rows], "grace": grace}
    return {row[0] for row in await connection.fetch(ENTER, values)}


async def lock_admission(connection: Connection) -> None:
    await connection.fetch(ADMISSION_LOCK)


async def waiting_contexts(connection: Connection) -> list[UUID]:
    return [row[0] for row in await connection.fetch(WAITING_CONTEXTS)]


async def candidates(connection: Connection, contexts: Iterable[UUID], limit: int) -> list[Candidate]:
    """What waits and fits into the room of its context, in order of priority and age within each."""
    rows = await connection.fetch(CANDIDATES, {"contexts": list(contexts), "limit": limit})
    return [Candidate(*row) for row in rows]


async def dispatch(connection: Connection, keys: Sequence[Key], grace: timedelta) -> list[Dispatched]:
    return _runs(await connection.fetch(DISPATCH, {**_keys(keys), "grace": grace}))


async def say_again(connection: Connection, after: timedelta) -> list[Dispatched]:
    return _runs(await connection.fetch(SAY_AGAIN, {"after": after}))


async def check_soon(database: Database, keys: Sequence[Key]) -> None:
    await database.execute(CHECK_SOON, _keys(keys))


async def close(
    connection: Connection, reasons: Mapping[Key, str], disposition: Disposition, code: str, *, state: str
) -> list[Closed]:
    """Closes those that are still in `state` without a run; of what is queued, only what has not run before."""
    rows = await connection.fetch(
        CLOSE,
        {
            **_keys(list(reasons)),
            "reasons": list(reasons.values()),
            "disposition": disposition,
            "code": code,
            "state": state,
        },
    )
    return [Closed(*row) for row in rows]


async def expire(connection: Connection) -> list[Closed]:
    return [Closed(*row) for row in await connection.fetch(EXPIRE)]


async def close_ran(connection: Connection, completed: Sequence[JobCompleted]) -> dict[UUID, UUID]:
    """The runs that were closed by this, with their contexts."""
    completed = sorted(completed, key=lambda event: event.run_id)  # whoever locks several does it in order
    endings = [ending_reason(event) for event in completed]
    rows = await connection.fetch(
        CLOSE_RAN,
        {
            **_attempts(completed),
            "codes": [code for code, _ in endings],
            "reasons": [reason for _, reason in endings],
            "started": [event.started_at for event in completed],
        },
    )
    return {row[0]: row[1] for row in rows}


async def failed(connection: Connection, completed: Sequence[JobCompleted]) -> list[Failed]:
    return [Failed(*row) for row in await connection.fetch(FAILED, _attempts(completed))]


async def queue_retries(connection: Connection, delays: Mapping[Key, timedelta]) -> None:
    await connection.execute(QUEUE_RETRIES, {**_keys(list(delays)), "delays": list(delays.values())})


async def queue_lost(connection: Connection, now: datetime, leap: Leap) -> list[Lost]:
    values = {"over": now - LATE_COMMIT, "leapt_to": leap.to, "leap": leap.by}
    return [Lost(*row) for row in await connection.fetch(QUEUE_LOST, values)]


async def unheard_outcomes(database: Database, after: timedelta) -> list[bytes]:
    """The job.completed payloads of attempts that ended at least `after` ago, still open in the ledger."""
    return [row[0].encode() for row in await database.fetch(UNHEARD_OUTCOMES, {"after": after})]


async def open_of(connection: Connection, job_ids: Iterable[UUID]) -> list[Key]:
    """The open occurrences of the jobs."""
    return [(row[0], row[1]) for row in await connection.fetch(OPEN_OF_JOBS, {"job_ids": list(job_ids)})]


async def end_retries(
    connection: Connection, reasons: Mapping[Key, str], grace: timedelta
) -> list[Dispatched]:
    """Dispatches those that wait for another attempt, to be ended with the reason instead."""
    values = {**_keys(list(reasons)), "reasons": list(reasons.values()), "grace": grace}
    return _runs(await connection.fetch(END_RETRIES, values))


async def cancel(connection: Connection, reasons: Mapping[Key, str]) -> list[Cancelled]:
    """Marks what is dispatched and at rest; those that were not marked before."""
    rows = await connection.fetch(CANCEL, {**_keys(list(reasons)), "reasons": list(reasons.values())})
    return [Cancelled(*row) for row in rows]


async def keep_months(database: Database, retention: timedelta) -> int:
    """Makes the partitions of the months to come, drops those past the retention; how many."""
    dropped: int = (await database.fetch(KEEP_MONTHS, {"retention": retention}))[0][0]
    return dropped


def _runs(rows: Iterable[Any]) -> list[Dispatched]:
    return [Dispatched(*row) for row in rows]


def _keys(keys: Sequence[Key]) -> dict[str, list[Any]]:
    return {"run_ids": [run_id for run_id, _ in keys], "instants": [instant for _, instant in keys]}


def _attempts(events: Sequence[JobCompleted]) -> dict[str, list[Any]]:
    return {
        "run_ids": [event.run_id for event in events],
        "instants": [event.scheduled_for for event in events],
        "attempts": [event.attempt for event in events],
    }
