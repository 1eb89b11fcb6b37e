"""The ledger: what becomes of each occurrence, written once and closed once."""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from rota_contracts.values import Disposition, Trigger
from rota_store import Connection, Database
from rota_ticker.domain.jobs import Occurrence, Plan, Standing
from rota_ticker.repository.timers import SET, plan_columns

# Read after the timers of these jobs are locked: whoever opens a run of a job holds that lock.
STANDINGS = """
    SELECT job_id, count(*) FILTER (WHERE state = 'queued' AND attempt = 1),
           count(*) FILTER (WHERE state = 'dispatched' OR attempt > 1)
    FROM occurrences WHERE job_id = ANY (CAST(:job_ids AS uuid[])) AND closed_at IS NULL GROUP BY job_id
"""

# Timers and what they lead to in one statement: one way there and back instead of two.
ENTER = f"""
    WITH timed AS ({SET})
    INSERT INTO occurrences
        (run_id, job_id, context_id, scheduled_for, effective_at, trigger, state, disposition, reason_code, reason,
         instants, last_instant, coalesced_into, stands_for, first_instant, priority, is_exclusive, requested_by,
         prompt_context, not_before, expires_at, closed_at, dispatched_at, check_at)
    SELECT u.run_id, u.job_id, u.context_id, u.scheduled_for, u.effective_at, u.trigger,
           CASE WHEN u.disposition IS NOT NULL THEN 'closed' WHEN u.goes THEN 'dispatched' ELSE 'queued' END,
           u.disposition, u.reason_code, u.reason,
           u.instants, u.last_instant, u.coalesced_into, u.stands_for, u.first_instant, u.priority, u.is_exclusive,
           u.requested_by, u.prompt_context, now(),
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
    JOIN contexts c ON c.id = ANY (ARRAY[u.context_id])
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
    WHERE o.run_id = ANY (ARRAY[u.run_id]) AND o.scheduled_for IS NOT DISTINCT FROM u.scheduled_for AND o.state = :state
      AND (o.state <> 'queued' OR o.attempt = 1)
    RETURNING {CLOSED}
"""

EXPIRE = f"""
    WITH expired AS MATERIALIZED (
        SELECT q.run_id, q.scheduled_for FROM occurrences q
        WHERE q.state = 'queued' AND q.expires_at <= statement_timestamp() ORDER BY q.expires_at
    )
    UPDATE occurrences o
    SET state = 'closed', disposition = 'missed', reason_code = 'queue_ttl', closed_at = clock_timestamp(),
        reason = 'it waited longer than the job allows'
    FROM expired e
    WHERE o.run_id = ANY (ARRAY[e.run_id]) AND o.scheduled_for IS NOT DISTINCT FROM e.scheduled_for AND o.state || '' = 'queued'
    RETURNING {CLOSED}
"""

# The executor that held the attempt vanished (its lease was ended) or handed it back (released).
QUEUE_LOST = """
    WITH lost AS (
        SELECT d.run_id, d.scheduled_for, a.state, a.executor
        FROM executors e
        JOIN run_attempts a ON a.executor = e.id AND a.state <> 'ended' AND a.state = ANY (
            CASE WHEN e.ended_at IS NULL THEN ARRAY['released'] ELSE ARRAY['released', 'running'] END)
        JOIN occurrences d ON d.run_id = ANY (ARRAY[a.run_id]) AND d.attempt = a.attempt
        WHERE d.state || '' = 'dispatched'
        FOR UPDATE OF d SKIP LOCKED
    )
    UPDATE occurrences o
    SET state = 'queued', attempt = o.attempt + 1, dispatched_at = NULL, check_at = NULL, expires_at = NULL,
        not_before = clock_timestamp(), queued_at = clock_timestamp(), losses = o.losses + CASE WHEN l.state = 'running' THEN 1 ELSE 0 END
    FROM lost l WHERE o.run_id = ANY (ARRAY[l.run_id]) AND o.scheduled_for IS NOT DISTINCT FROM l.scheduled_for
    RETURNING o.run_id, o.job_id, o.context_id, o.attempt, l.state, l.executor
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
        JOIN occurrences d ON d.run_id = ANY (ARRAY[u.run_id]) AND d.scheduled_for IS NOT DISTINCT FROM u.scheduled_for
        WHERE d.state || '' = 'dispatched' AND d.cancelled_at IS NULL
        FOR UPDATE OF d SKIP LOCKED
    )
    UPDATE occurrences o SET cancelled_at = clock_timestamp(), cancel_reason = r.reason
    FROM running r WHERE o.run_id = ANY (ARRAY[r.run_id]) AND o.scheduled_for IS NOT DISTINCT FROM r.scheduled_for
    RETURNING o.run_id, o.job_id, o.context_id, o.cancel_reason
"""

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


Key = tuple[UUID, datetime]


async def standings(connection: Connection, job_ids: Iterable[UUID]) -> dict[UUID, Standing]:
    """The open occurrences of the jobs, whose timers are locked."""
    rows = await connection.fetch(STANDINGS, {"job_ids": list(job_ids)})
    return {row[0]: Standing(row[1], row[2]) for row in rows}


async def enter(
    connection: Connection,
    rows: Sequence[Occurrence],
    going: AbstractSet[UUID],
    grace: timedelta,
    plans: Sequence[Plan],
) -> set[UUID]:
    """The ids that were new; an instant that has its row already keeps it.

    Those `going` are dispatched; timers are set as planned.
    """
    values: dict[str, Any] = {name: [getattr(row, name) for row in rows] for name in ENTERED_COLUMNS}
    values |= {"goes": [row.run_id in going for row in rows], "grace": grace, **plan_columns(plans)}
    return {row[0] for row in await connection.fetch(ENTER, values)}


async def close(
    connection: Connection, reasons: Mapping[Key, str], disposition: Disposition, code: str, *, state: str
) -> list[Closed]:
    """Closes those that are still in `state` without a run; of what is queued, only what has not run before."""
    rows = await connection.fetch(
        CLOSE,
        {
            **key_columns(list(reasons)),
            "reasons": list(reasons.values()),
            "disposition": disposition,
            "code": code,
            "state": state,
        },
    )
    return [Closed(*row) for row in rows]


async def expire(connection: Connection) -> list[Closed]:
    return [Closed(*row) for row in await connection.fetch(EXPIRE)]


async def queue_lost(connection: Connection) -> list[Lost]:
    """After leases were ended: takes their attempts over, and what was handed back."""
    return [Lost(*row) for row in await connection.fetch(QUEUE_LOST)]


async def open_of(connection: Connection, job_ids: Iterable[UUID]) -> list[Key]:
    """The open occurrences of the jobs."""
    return [(row[0], row[1]) for row in await connection.fetch(OPEN_OF_JOBS, {"job_ids": list(job_ids)})]


async def cancel(connection: Connection, reasons: Mapping[Key, str]) -> list[Cancelled]:
    """Marks what is dispatched and at rest; those that were not marked before."""
    rows = await connection.fetch(CANCEL, {**key_columns(list(reasons)), "reasons": list(reasons.values())})
    return [Cancelled(*row) for row in rows]


async def keep_months(database: Database, retention: timedelta) -> int:
    """Makes the partitions of the months to come, drops those past the retention; how many."""
    dropped: int = (await database.fetch(KEEP_MONTHS, {"retention": retention}))[0][0]
    return dropped


def key_columns(keys: Sequence[Key]) -> dict[str, list[Any]]:
    return {"run_ids": [run_id for run_id, _ in keys], "instants": [instant for _, instant in keys]}
