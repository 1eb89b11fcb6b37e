"""Every SQL statement of the ticker. PostgreSQL's clock is the only one that decides what is due."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from rota_contracts.events import JobCompleted, JobStarted
from rota_store import Connection, Database, Row
from rota_ticker.domain import Job, Occurrence, Plan, Queued, Request, Timer, ending_reason

JOB = """
    j.id, j.context_id, j.owner_id, j.name, j.agent_name, j.skill_prompt, j.cron_expression, j.timezone,
    j.dst_gap, j.dst_repeat, j.is_enabled, j.timeout_seconds, j.max_retries, j.priority,
    j.catch_up_window_seconds, j.generation, j.updated_at
"""
JOB_COLUMNS = len(JOB.split(","))

# Whoever wrote an occurrence dispatches it at once; after this long any ticker does.
DISPATCH_GRACE = timedelta(seconds=2)

CHANGED_JOBS = f"""
    SELECT {JOB}, t.next_run_at
    FROM scheduled_jobs j LEFT JOIN job_timers t ON t.job_id = j.id
    WHERE j.changed_xid >= CAST(CAST(:horizon AS text) AS xid8)
      AND (t.job_id IS NULL OR t.planned_generation < j.generation)
    ORDER BY j.changed_xid LIMIT :limit
"""

PLANS = """
    unnest(CAST(:job_ids AS uuid[]), CAST(:generations AS bigint[]), CAST(:nexts AS timestamptz[]),
           CAST(:errors AS text[])) AS u (job_id, generation, next_run_at, error)
"""

SET_TIMERS = f"""
    INSERT INTO job_timers AS t (job_id, planned_generation, next_run_at, error)
    SELECT u.job_id, u.generation, u.next_run_at, u.error
    FROM {PLANS} JOIN scheduled_jobs j ON j.id = u.job_id
    ON CONFLICT (job_id) DO UPDATE
    SET planned_generation = excluded.planned_generation, next_run_at = excluded.next_run_at, error = excluded.error
    WHERE t.planned_generation < excluded.planned_generation
"""

ADVANCE_TIMERS = f"""
    UPDATE job_timers t
    SET planned_generation = u.generation, next_run_at = u.next_run_at, error = u.error
    FROM {PLANS} WHERE t.job_id = u.job_id
"""

DUE_TIMERS = f"""
    SELECT {JOB}, t.planned_generation, t.next_run_at
    FROM job_timers t JOIN scheduled_jobs j ON j.id = t.job_id
    WHERE t.next_run_at <= clock_timestamp()
    ORDER BY t.next_run_at LIMIT :limit
    FOR UPDATE OF t SKIP LOCKED
"""

NEW_REQUESTS = f"""
    SELECT {JOB}, r.run_id, r.requested_by, r.prompt_context
    FROM run_requests r JOIN scheduled_jobs j ON j.id = r.job_id JOIN job_timers t ON t.job_id = r.job_id
    WHERE r.changed_xid >= CAST(CAST(:horizon AS text) AS xid8)
      AND NOT EXISTS (SELECT 1 FROM occurrences o WHERE o.run_id = r.run_id)
    ORDER BY r.job_id, r.created_at LIMIT :limit
    FOR UPDATE OF t
"""

# Read after the timers of these jobs are locked: whoever opens a run of a job holds that lock.
OPEN_RUNS = (
    "SELECT job_id FROM occurrences WHERE job_id = ANY (CAST(:job_ids AS uuid[])) AND closed_at IS NULL"
)

OCCURRENCE_COLUMNS = (
    "run_id",
    "job_id",
    "context_id",
    "scheduled_for",
    "trigger",
    "state",
    "disposition",
    "reason",
    "instants",
    "last_instant",
    "coalesced_into",
    "priority",
    "requested_by",
    "prompt_context",
)

INSERT_OCCURRENCES = """
    INSERT INTO occurrences
        (run_id, job_id, context_id, scheduled_for, effective_at, trigger, state, disposition, reason,
         instants, last_instant, coalesced_into, priority, requested_by, prompt_context, not_before, closed_at)
    SELECT u.run_id, u.job_id, u.context_id, u.scheduled_for, u.scheduled_for, u.trigger, u.state, u.disposition,
           u.reason, u.instants, u.last_instant, u.coalesced_into, u.priority, u.requested_by, u.prompt_context,
           clock_timestamp() + CAST(:grace AS interval),
           CASE WHEN u.state = 'closed' THEN clock_timestamp() END
    FROM unnest(CAST(:run_id AS uuid[]), CAST(:job_id AS uuid[]), CAST(:context_id AS uuid[]),
                CAST(:scheduled_for AS timestamptz[]), CAST(:trigger AS text[]), CAST(:state AS text[]),
                CAST(:disposition AS text[]), CAST(:reason AS text[]), CAST(:instants AS int[]),
                CAST(:last_instant AS timestamptz[]), CAST(:coalesced_into AS uuid[]), CAST(:priority AS smallint[]),
                CAST(:requested_by AS uuid[]), CAST(:prompt_context AS text[]))
        AS u (run_id, job_id, context_id, scheduled_for, trigger, state, disposition, reason, instants,
              last_instant, coalesced_into, priority, requested_by, prompt_context)
    JOIN contexts c ON c.id = u.context_id
    ON CONFLICT DO NOTHING
    RETURNING run_id
"""

# What was coalesced into a run was written in the same transaction: created_at leads the index to those few
# rows, however long the history of the job is.
QUEUED = f"""
    SELECT {JOB}, o.run_id, o.job_id, o.context_id, o.scheduled_for, o.effective_at, o.trigger, o.attempt,
           o.failures, o.losses, o.prompt_context, s.instants, s.first_instant
    FROM occurrences o
    LEFT JOIN scheduled_jobs j ON j.id = o.job_id
    CROSS JOIN LATERAL (
        SELECT 1 + coalesce(sum(c.instants), 0) AS instants, min(c.scheduled_for) AS first_instant
        FROM occurrences c
        WHERE c.job_id = o.job_id AND c.created_at = o.created_at AND c.coalesced_into = o.run_id
    ) s
    WHERE o.state = 'queued' AND (o.not_before <= clock_timestamp() OR o.run_id = ANY (CAST(:fresh AS uuid[])))
    ORDER BY o.not_before LIMIT :limit
"""

MARK_DISPATCHED = """
    UPDATE occurrences o SET state = 'dispatched', dispatched_at = clock_timestamp()
    FROM unnest(CAST(:run_ids AS uuid[]), CAST(:attempts AS int[])) AS u (run_id, attempt)
    WHERE o.run_id = u.run_id AND o.attempt = u.attempt AND o.state = 'queued'
"""

CLOSE_ORPHANS = """
    UPDATE occurrences SET state = 'closed', disposition = 'suppressed', reason = 'the job was deleted',
                           closed_at = clock_timestamp()
    WHERE run_id = ANY (CAST(:run_ids AS uuid[])) AND state = 'queued'
"""

# The next instant at which there is something to do, and the clock it is measured by.
NEXT_INSTANT = """
    SELECT clock_timestamp() AS now,
           least((SELECT min(next_run_at) FROM job_timers WHERE next_run_at IS NOT NULL),
                 (SELECT min(not_before) FROM occurrences WHERE state = 'queued')) AS next
"""

MARK_RUNNING = """
    UPDATE occurrences o SET state = 'running', started_at = coalesce(o.started_at, u.started_at)
    FROM unnest(CAST(:run_ids AS uuid[]), CAST(:attempts AS int[]), CAST(:started AS timestamptz[]))
        AS u (run_id, attempt, started_at)
    WHERE o.run_id = u.run_id AND o.attempt = u.attempt AND o.state IN ('queued', 'dispatched')
"""

CLOSE_RAN = """
    UPDATE occurrences o
    SET state = 'closed', disposition = 'ran', reason = u.reason, closed_at = clock_timestamp(),
        started_at = coalesce(o.started_at, u.started_at)
    FROM unnest(CAST(:run_ids AS uuid[]), CAST(:attempts AS int[]), CAST(:reasons AS text[]),
                CAST(:started AS timestamptz[])) AS u (run_id, attempt, reason, started_at)
    WHERE o.run_id = u.run_id AND o.attempt = u.attempt AND o.state <> 'closed'
"""

# A retry keeps the occurrence open: the next attempt, after the backoff of the job.
QUEUE_RETRIES = """
    UPDATE occurrences o
    SET state = 'queued', attempt = o.attempt + 1, failures = o.failures + 1, dispatched_at = NULL,
        not_before = clock_timestamp() + make_interval(secs => coalesce(
            (SELECT j.retry_backoff_seconds FROM scheduled_jobs j WHERE j.id = o.job_id), 0))
    FROM unnest(CAST(:run_ids AS uuid[]), CAST(:attempts AS int[])) AS u (run_id, attempt)
    WHERE o.run_id = u.run_id AND o.attempt = u.attempt AND o.state <> 'closed'
"""

# The executor that held the attempt vanished (lease over) or handed it back (released). An outcome that was
# written within the lease may still be on its way to its commit: it has two seconds.
QUEUE_LOST = """
    UPDATE occurrences o
    SET state = 'queued', attempt = o.attempt + 1, dispatched_at = NULL, not_before = clock_timestamp(),
        losses = o.losses + CASE WHEN a.state = 'running' THEN 1 ELSE 0 END
    FROM run_attempts a
    WHERE (a.state = 'released' OR a.lease_until <= clock_timestamp() - interval '2 seconds')
      AND a.state <> 'ended' AND o.run_id = a.run_id AND o.attempt = a.attempt AND o.state <> 'closed'
    RETURNING o.run_id, o.job_id, o.context_id, o.attempt, a.state, a.executor
"""

# Dispatched long ago and begun by nobody: job.due is said again, under the same message id.
QUEUE_UNHEARD = """
    UPDATE occurrences o SET state = 'queued', not_before = clock_timestamp(), dispatched_at = NULL
    WHERE o.closed_at IS NULL AND o.state = 'dispatched'
      AND o.dispatched_at <= clock_timestamp() - CAST(:after AS interval)
      AND NOT EXISTS (SELECT 1 FROM run_attempts a WHERE a.run_id = o.run_id AND a.attempt = o.attempt)
    RETURNING o.run_id
"""

# The attempt ended, and its completion never reached the ticker (the stream was lost).
UNHEARD_OUTCOMES = """
    SELECT CAST(a.outcome AS text)
    FROM occurrences o JOIN run_attempts a ON a.run_id = o.run_id AND a.attempt = o.attempt
    WHERE o.closed_at IS NULL AND a.state = 'ended' AND a.ended_at <= clock_timestamp() - CAST(:after AS interval)
    LIMIT 500
"""


@dataclass(frozen=True)
class Lost:
    """An attempt that was taken from its executor; `attempt` is the next one."""

    run_id: UUID
    job_id: UUID
    context_id: UUID
    attempt: int
    state: str
    executor: str


class Repository:
    def __init__(self, database: Database) -> None:
        self._database = database

    def transaction(self) -> AbstractAsyncContextManager[Connection]:
        """A transaction for the functions below that take a connection."""
        return self._database.transaction()

    async def horizon(self) -> str:
        """A transaction id before which nothing can become visible any more."""
        rows = await self._database.fetch("SELECT CAST(pg_snapshot_xmin(pg_current_snapshot()) AS text)")
        return str(rows[0][0])

    async def changed_jobs(self, horizon: str, limit: int) -> list[tuple[Job, datetime | None]]:
        """Jobs changed since the horizon and not planned yet, with the instant their timer stands at."""
        rows = await self._database.fetch(CHANGED_JOBS, {"horizon": horizon, "limit": limit})
        return [(_job(row), row[JOB_COLUMNS]) for row in rows]

    async def set_timers(self, plans: Sequence[Plan]) -> None:
        """Sets timers of definitions that are newer than what their timer was planned for."""
        await self._database.execute(SET_TIMERS, _plans(plans))

    async def queued(self, fresh: Sequence[UUID], limit: int) -> list[Queued]:
        """Occurrences to dispatch: those of `fresh`, and whatever waits past its time."""
        rows = await self._database.fetch(QUEUED, {"fresh": list(fresh), "limit": limit})
        jobs = [_job(row) if row[0] is not None else None for row in rows]
        return [Queued(*[*row[JOB_COLUMNS:], job]) for row, job in zip(rows, jobs, strict=True)]

    async def mark_dispatched(self, queued: Sequence[Queued]) -> None:
        await self._database.execute(
            MARK_DISPATCHED,
            {"run_ids": [q.run_id for q in queued], "attempts": [q.attempt for q in queued]},
        )

    async def close_orphans(self, queued: Sequence[Queued]) -> None:
        await self._database.execute(CLOSE_ORPHANS, {"run_ids": [q.run_id for q in queued]})

    async def next_instant(self) -> tuple[datetime, datetime | None]:
        """PostgreSQL's clock, and when there is something to do."""
        now, following = (await self._database.fetch(NEXT_INSTANT))[0]
        return now, following

    async def mark_running(self, started: Sequence[JobStarted]) -> None:
        await self._database.execute(
            MARK_RUNNING, {**_attempts(started), "started": [event.started_at for event in started]}
        )

    async def close_ran(self, completed: Sequence[JobCompleted]) -> None:
        await self._database.execute(
            CLOSE_RAN,
            {
                **_attempts(completed),
                "reasons": [ending_reason(event) for event in completed],
                "started": [event.started_at for event in completed],
            },
        )

    async def queue_retries(self, completed: Sequence[JobCompleted]) -> None:
        await self._database.execute(QUEUE_RETRIES, _attempts(completed))

    async def queue_lost(self) -> list[Lost]:
        return [Lost(*row) for row in await self._database.fetch(QUEUE_LOST)]

    async def queue_unheard(self, after: timedelta) -> list[UUID]:
        return [row[0] for row in await self._database.fetch(QUEUE_UNHEARD, {"after": after})]

    async def unheard_outcomes(self, after: timedelta) -> list[bytes]:
        """The job.completed payloads of attempts that ended at least `after` ago, still open in the ledger."""
        return [row[0].encode() for row in await self._database.fetch(UNHEARD_OUTCOMES, {"after": after})]


async def clock(connection: Connection) -> datetime:
    [row] = await connection.fetch("SELECT clock_timestamp()")
    now: datetime = row[0]
    return now


async def claim_due_timers(connection: Connection, limit: int) -> list[Timer]:
    """Locks the timers that are due; no other ticker sees them until the transaction ends."""
    rows = await connection.fetch(DUE_TIMERS, {"limit": limit})
    return [Timer(_job(row), *row[JOB_COLUMNS:]) for row in rows]


async def open_runs(connection: Connection, job_ids: Sequence[UUID]) -> set[UUID]:
    """Which of the jobs, whose timers are locked, have an open occurrence."""
    return {row[0] for row in await connection.fetch(OPEN_RUNS, {"job_ids": list(job_ids)})}


async def new_requests(connection: Connection, horizon: str, limit: int) -> list[Request]:
    rows = await connection.fetch(NEW_REQUESTS, {"horizon": horizon, "limit": limit})
    return [
        Request(
            run_id=row.run_id,
            job=_job(row),
            requested_by=row.requested_by,
            prompt_context=row.prompt_context,
        )
        for row in rows
    ]


async def insert_occurrences(connection: Connection, rows: Sequence[Occurrence]) -> set[UUID]:
    """The ids that were new; an instant that has its row already keeps it."""
    values: dict[str, Any] = {name: [getattr(row, name) for row in rows] for name in OCCURRENCE_COLUMNS}
    entered = await connection.fetch(INSERT_OCCURRENCES, {**values, "grace": DISPATCH_GRACE})
    return {row[0] for row in entered}


async def advance_timers(connection: Connection, plans: Sequence[Plan]) -> None:
    """Sets the timers that this transaction has locked."""
    await connection.execute(ADVANCE_TIMERS, _plans(plans))


def _plans(plans: Sequence[Plan]) -> dict[str, Any]:
    return {
        "job_ids": [plan.job_id for plan in plans],
        "generations": [plan.generation for plan in plans],
        "nexts": [plan.next_run_at for plan in plans],
        "errors": [plan.error for plan in plans],
    }


def _job(row: Row) -> Job:
    return Job(*row[:JOB_COLUMNS])


def _attempts(events: Sequence[JobStarted] | Sequence[JobCompleted]) -> dict[str, Any]:
    return {
        "run_ids": [event.run_id for event in events],
        "attempts": [event.attempt for event in events],
    }
