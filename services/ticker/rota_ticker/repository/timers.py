"""How far each job is accounted for, and when it is due next."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from rota_store import Connection
from rota_ticker.domain.attempts import Streak
from rota_ticker.domain.jobs import Job, Plan, Timer
from rota_ticker.repository.jobs import JOB, JOB_COLUMNS, job_of

TIMER = "t.job_id, t.planned_generation, t.accounted_until, t.next_run_at, t.runs, t.paused_at"

# By the begin of the statement, which an index can be searched by; the clock itself changes from row to row.
DUE = f"""
    SELECT {JOB}, {TIMER}, clock_timestamp()
    FROM job_timers t JOIN scheduled_jobs j ON j.id = ANY (ARRAY[t.job_id])
    WHERE t.wake_at <= statement_timestamp() AND t.wake_at > statement_timestamp() - CAST(:late AS interval)
    ORDER BY t.wake_at, t.turn LIMIT :limit
    FOR UPDATE OF t SKIP LOCKED
"""

# Apart from the others: what waited for an hour may wait for a moment more, what is due now may not.
LATE = f"""
    SELECT {JOB}, {TIMER}, clock_timestamp()
    FROM job_timers t JOIN scheduled_jobs j ON j.id = ANY (ARRAY[t.job_id])
    WHERE t.wake_at <= statement_timestamp() - CAST(:late AS interval)
    ORDER BY t.wake_at, t.turn LIMIT :limit
    FOR UPDATE OF t SKIP LOCKED
"""

# What is due next, all of one instant; each row with that instant for its clock.
SOON = f"""
    SELECT {JOB}, {TIMER}, t.wake_at
    FROM job_timers t JOIN scheduled_jobs j ON j.id = ANY (ARRAY[t.job_id])
    WHERE t.wake_at = (SELECT min(wake_at) FROM job_timers WHERE wake_at > statement_timestamp())
      AND t.wake_at <= statement_timestamp() + CAST(:ahead AS interval)
    ORDER BY t.turn LIMIT :limit
    FOR UPDATE OF t SKIP LOCKED
"""
LATE_AFTER = timedelta(seconds=10)
LATE_SHARE = 5

LOCK = f"""
    SELECT {TIMER} FROM job_timers t WHERE t.job_id = ANY (CAST(:job_ids AS uuid[]))
    ORDER BY t.job_id FOR UPDATE OF t
"""

SET = """
    UPDATE job_timers t
    SET planned_generation = u.generation, accounted_until = u.accounted_until, next_run_at = u.next_run_at,
        wake_at = u.wake_at, runs = u.runs,
        failures_in_a_row = CASE WHEN u.paused_at IS NULL AND t.paused_at IS NOT NULL
                                 THEN 0 ELSE t.failures_in_a_row END,
        pause_reason = CASE WHEN u.paused_at IS NULL THEN NULL ELSE t.pause_reason END,
        paused_at = u.paused_at, error = u.error
    FROM unnest(CAST(:job_ids AS uuid[]), CAST(:generations AS bigint[]),
                CAST(:accounted AS timestamptz[]), CAST(:nexts AS timestamptz[]), CAST(:wakes AS timestamptz[]),
                CAST(:runs AS int[]), CAST(:paused AS timestamptz[]), CAST(:errors AS text[]))
        AS u (job_id, generation, accounted_until, next_run_at, wake_at, runs, paused_at, error)
    WHERE t.job_id = ANY (ARRAY[u.job_id]) AND t.planned_generation <= u.generation
"""

# A new job is to be accounted for since its creation. Its turn, among what is due at the same instant, is
# somewhere among the jobs of its context: so the contexts go in turn, however many jobs one of them has.
ADOPT = """
    WITH new AS MATERIALIZED (
        SELECT id, context_id, created_at FROM scheduled_jobs WHERE id = ANY (CAST(:job_ids AS uuid[]))
    ), held AS MATERIALIZED (
        SELECT n.context_id, (SELECT count(*) FROM scheduled_jobs j WHERE j.context_id = n.context_id) AS jobs
        FROM (SELECT DISTINCT context_id FROM new) n
    )
    INSERT INTO job_timers (job_id, context_id, planned_generation, accounted_until, turn)
    SELECT n.id, n.context_id, 0, n.created_at, abs(CAST(hashtext(CAST(n.id AS text)) AS bigint)) % h.jobs
    FROM new n JOIN held h ON h.context_id = n.context_id
    WHERE NOT EXISTS (SELECT 1 FROM job_timers t WHERE t.job_id = ANY (ARRAY[n.id]))
    ORDER BY n.id ON CONFLICT DO NOTHING
"""

# Of jobs whose runs ended, those that have failed before or do now.
FAILING = """
    SELECT job_id FROM job_timers
    WHERE job_id = ANY (CAST(:job_ids AS uuid[]))
      AND (failures_in_a_row > 0 OR job_id = ANY (CAST(:failed AS uuid[])))
    ORDER BY job_id FOR UPDATE
"""

# A job that reaches its limit is paused, by whoever counted; the instants of the pause stay unaccounted.
COUNT_FAILURES = """
    WITH counted AS (
        UPDATE job_timers t
        SET failures_in_a_row = u.failures + CASE WHEN u.is_broken THEN 0 ELSE t.failures_in_a_row END
        FROM unnest(CAST(:job_ids AS uuid[]), CAST(:failures AS int[]), CAST(:broken AS boolean[]))
            AS u (job_id, failures, is_broken)
        WHERE t.job_id = ANY (ARRAY[u.job_id])
        RETURNING t.job_id, t.failures_in_a_row, t.paused_at
    )
    SELECT c.job_id, j.context_id, j.name, c.failures_in_a_row
    FROM counted c JOIN scheduled_jobs j ON j.id = ANY (ARRAY[c.job_id])
    WHERE j.is_enabled AND c.paused_at IS NULL AND c.failures_in_a_row >= j.auto_pause_after
"""

PAUSE = """
    UPDATE job_timers SET paused_at = clock_timestamp(), pause_reason = :reason, next_run_at = NULL, wake_at = NULL
    WHERE job_id = :job_id AND paused_at IS NULL
"""


# Tools alone spend nothing. Locked in the order in which everybody locks timers.
CONCERNED = """
    SELECT t.job_id, j.context_id, j.name FROM budgets b
    JOIN scheduled_jobs j ON j.context_id = ANY (ARRAY[b.context_id]) AND j.tool IS NULL AND j.is_enabled
        AND (b.job_id IS NULL OR j.id = b.job_id) AND (b.agent_name IS NULL OR j.agent_name = b.agent_name)
    JOIN job_timers t ON t.job_id = ANY (ARRAY[j.id])
    WHERE b.id = :budget_id AND b.policy = 'pause' AND t.paused_at IS NULL
    ORDER BY t.job_id FOR UPDATE OF t
"""


class Due(NamedTuple):
    job: Job
    timer: Timer
    now: datetime


class Concerned(NamedTuple):
    """A job that a budget concerns."""

    job_id: UUID
    context_id: UUID
    name: str


class Failing(NamedTuple):
    """A job that failed as often as it may."""

    job_id: UUID
    context_id: UUID
    name: str
    failures: int


async def due(connection: Connection, limit: int) -> list[Due]:
    """Locks the timers that are due; no other ticker sees them until the transaction ends.

    What is late, after a downtime, comes in smaller batches and only when nothing else is due.
    """
    rows = await connection.fetch(DUE, {"limit": limit, "late": LATE_AFTER})
    if not rows:
        share = max(1, limit // LATE_SHARE)
        rows = await connection.fetch(LATE, {"limit": share, "late": LATE_AFTER})
    return _due(rows)


async def soon(connection: Connection, limit: int, ahead: timedelta) -> list[Due]:
    """As `due`, for the next instant that comes within `ahead`, as if it had come."""
    return _due(await connection.fetch(SOON, {"limit": limit, "ahead": ahead}))


def _due(rows: Iterable[Any]) -> list[Due]:
    return [Due(job_of(row), Timer(*row[JOB_COLUMNS:-1]), row[-1]) for row in rows]


async def lock(connection: Connection, job_ids: Sequence[UUID]) -> dict[UUID, Timer]:
    """Locks the timers of the jobs; the ones that had none have one now."""
    await connection.execute(ADOPT, {"job_ids": list(job_ids)})
    rows = await connection.fetch(LOCK, {"job_ids": list(job_ids)})
    return {row[0]: Timer(*row) for row in rows}


async def set_all(connection: Connection, plans: Sequence[Plan]) -> None:
    await connection.execute(SET, plan_columns(plans))


def plan_columns(plans: Sequence[Plan]) -> dict[str, list[Any]]:
    """What SET is given."""
    return {
        "job_ids": [plan.job_id for plan in plans],
        "generations": [plan.generation for plan in plans],
        "accounted": [plan.accounted_until for plan in plans],
        "nexts": [plan.next_run_at for plan in plans],
        "wakes": [plan.wake_at for plan in plans],
        "runs": [plan.runs for plan in plans],
        "paused": [plan.paused_at for plan in plans],
        "errors": [plan.error for plan in plans],
    }


async def lock_failing(
    connection: Connection, job_ids: Collection[UUID], failed: Collection[UUID]
) -> set[UUID]:
    """Locks the timers of those jobs that have failures to count or to forget."""
    rows = await connection.fetch(FAILING, {"job_ids": list(job_ids), "failed": list(failed)})
    return {row[0] for row in rows}


async def count_failures(connection: Connection, streaks: Mapping[UUID, Streak]) -> list[Failing]:
    """Counts on from what was counted before; the jobs that are to be paused for it."""
    rows = await connection.fetch(
        COUNT_FAILURES,
        {
            "job_ids": list(streaks),
            "failures": [streak.failures for streak in streaks.values()],
            "broken": [streak.is_broken for streak in streaks.values()],
        },
    )
    return [Failing(*row) for row in rows]


async def pause(connection: Connection, job_id: UUID, reason: str) -> None:
    await connection.execute(PAUSE, {"job_id": job_id, "reason": reason})


async def pause_concerned(connection: Connection, budget_id: UUID, reason: str) -> list[Concerned]:
    """Pauses the jobs that may not go on without that budget; those that were not paused before."""
    found = [Concerned(*row) for row in await connection.fetch(CONCERNED, {"budget_id": budget_id})]
    for job in found:
        await pause(connection, job.job_id, reason)
    return found


async def clock(connection: Connection) -> datetime:
    moment: datetime = (await connection.fetch("SELECT clock_timestamp()"))[0][0]
    return moment
