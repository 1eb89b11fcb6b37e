"""Recomputes from the definitions what was due, and compares it with what is stored (I1, I2)."""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from rota_schedule import Schedule, parse
from tests.support.eventually import eventually
from tests.support.recorded import WRITES, Execution, most_at_once, overlapping
from tests.support.world import World

MOMENT = timedelta(microseconds=1)

UNFINISHED = """
    SELECT (SELECT count(*) FROM scheduled_jobs j LEFT JOIN job_timers t ON t.job_id = j.id
            WHERE j.context_id = ANY (CAST(:c AS uuid[]))
              AND (t.job_id IS NULL OR t.planned_generation < j.generation)) AS unplanned,
           (SELECT count(*) FROM occurrences o WHERE o.context_id = ANY (CAST(:c AS uuid[]))
              AND o.state <> 'closed') AS open,
           (SELECT count(*) FROM occurrences o WHERE o.context_id = ANY (CAST(:c AS uuid[]))
              AND o.disposition = 'ran' AND NOT EXISTS (
                  SELECT 1 FROM agent_execution_results r WHERE r.run_id = o.run_id)) AS unrecorded,
           (SELECT count(*) FROM occurrences o WHERE o.context_id = ANY (CAST(:c AS uuid[]))
              AND o.disposition = 'ran' AND NOT EXISTS (
                  SELECT 1 FROM notifications n WHERE n.run_id = o.run_id
                      -- What blocks several runs is told once.
                      OR o.reason_code = 'blocked' AND n.context_id = o.context_id AND n.cause IS NOT NULL))
              AS untold,
           (SELECT count(*) FROM unpublished_outcomes u JOIN run_attempts a ON a.run_id = ANY (u.run_ids)
            WHERE a.context_id = ANY (CAST(:c AS uuid[]))) AS unpublished
"""


PROGRESS = """
    SELECT (SELECT count(*) FROM run_attempts WHERE context_id = ANY (CAST(:c AS uuid[]))) AS attempts,
           (SELECT count(*) FROM occurrences WHERE context_id = ANY (CAST(:c AS uuid[])) AND state = 'closed')
               AS closed,
           (SELECT count(*) FROM agent_execution_results WHERE context_id = ANY (CAST(:c AS uuid[])))
               AS results
"""


async def at_rest(world: World, contexts: list[UUID], *, seconds: float = 60) -> None:
    """Waits until nothing of the contexts is open and everything is told; as long as anything goes on."""
    before: Any = None
    while True:
        progress = tuple((await world.sql(PROGRESS, c=contexts))[0])
        try:
            await eventually(lambda: _is_done(world, contexts), seconds=seconds, every=0.2)
        except AssertionError:
            if progress == before:
                raise AssertionError(await _what_is_left(world, contexts, seconds)) from None
            before = progress
        else:
            return


async def _is_done(world: World, contexts: list[UUID]) -> bool:
    return not any((await world.sql(UNFINISHED, c=contexts))[0])


async def _what_is_left(world: World, contexts: list[UUID], seconds: float) -> str:
    left = (await world.sql(UNFINISHED, c=contexts))[0]
    rows = await world.sql(
        "SELECT run_id, state, attempt, failures, losses, not_before, check_at FROM occurrences"
        " WHERE context_id = ANY (CAST(:c AS uuid[])) AND state <> 'closed' ORDER BY not_before LIMIT 5",
        c=contexts,
    )
    return f"nothing moved for {seconds:.0f} s, and left are {dict(left)}: {[dict(row) for row in rows]}"


async def disable(world: World, contexts: list[UUID]) -> None:
    await world.sql(
        "UPDATE scheduled_jobs SET is_enabled = false WHERE context_id = ANY (CAST(:c AS uuid[]))", c=contexts
    )


async def audit(world: World, contexts: list[UUID]) -> Counter[str]:
    """Checks every job of the contexts; how many instants came to which disposition."""
    total: Counter[str] = Counter()
    for job in await world.sql(
        "SELECT j.*, t.accounted_until, t.error FROM scheduled_jobs j JOIN job_timers t ON t.job_id = j.id"
        " WHERE j.context_id = ANY (CAST(:c AS uuid[]))",
        c=contexts,
    ):
        total += await _audit_job(world, job)
    await _each_run_once(world, contexts)
    return total


async def _audit_job(world: World, job: Any) -> Counter[str]:
    schedule = schedule_of(job)
    rows = await world.sql(
        "SELECT scheduled_for, instants, last_instant, disposition FROM occurrences"
        " WHERE job_id = :j AND trigger = 'schedule' ORDER BY scheduled_for",
        j=job.id,
    )
    due = list(schedule.between(job.created_at, job.accounted_until))
    entered = sorted(instant for row in rows for instant in instants_of(schedule, row))
    assert entered == due, _difference(job, entered, due)
    counts: Counter[str] = Counter()
    for row in rows:
        counts[row.disposition] += row.instants
    return counts


def schedule_of(job: Any) -> Schedule:
    """Read from the columns on its own, not by the code of the ticker."""
    return parse(
        job.cron_expression,
        job.timezone,
        seconds_field=job.seconds_field,
        start_at=job.start_at,
        end_at=job.end_at,
        anchor=job.start_at or job.created_at.replace(microsecond=0),
    )


def instants_of(schedule: Schedule, row: Any) -> Iterator[datetime]:
    """The instants that a row of the ledger stands for."""
    if row.instants == 1:
        yield row.scheduled_for
        return
    instants = list(schedule.between(row.scheduled_for - MOMENT, row.last_instant))
    assert len(instants) == row.instants, f"{row!r} is {len(instants)} instants"
    yield from instants


def _difference(job: Any, entered: list[datetime], due: list[datetime]) -> str:
    missing = Counter(due) - Counter(entered)
    surplus = Counter(entered) - Counter(due)
    return (
        f"job {job.name!r} {job.cron_expression!r}: {len(due)} due until {job.accounted_until},"
        f" not in the ledger {sorted(missing)[:10]}, too often {sorted(surplus)[:10]}"
    )


async def _each_run_once(world: World, contexts: list[UUID]) -> None:
    [row] = await world.sql(
        """
        WITH ran AS (SELECT run_id FROM occurrences
                     WHERE context_id = ANY (CAST(:c AS uuid[])) AND disposition = 'ran')
        SELECT (SELECT count(*) FROM ran) AS ran, (SELECT count(DISTINCT run_id) FROM ran) AS runs,
               (SELECT count(*) FROM agent_execution_results WHERE context_id = ANY (CAST(:c AS uuid[])))
                   AS results,
               (SELECT count(*) FROM ran JOIN agent_execution_results USING (run_id)) AS stored,
               (SELECT count(*) FROM notifications
                WHERE context_id = ANY (CAST(:c AS uuid[])) AND category <> 'paused') AS notifications,
               (SELECT coalesce(sum(run_count), 0) FROM job_statistics
                WHERE context_id = ANY (CAST(:c AS uuid[]))) AS counted
        """,
        c=contexts,
    )
    assert len(set(row)) == 1, dict(row)


def never_twice_at_once(calls: list[Execution]) -> None:
    """I3 and I4, as measured: no run twice at the same time, no run that writes twice at all."""
    assert not (pairs := overlapping(calls)), f"{len(pairs)} runs were executed twice at once: {pairs[:3]}"
    writes = Counter(call.run_id for call in calls if call.tool == WRITES)
    assert not (again := [run_id for run_id, count in writes.items() if count > 1]), f"written twice: {again}"


def within_room(calls: list[Execution], context: UUID, room: int) -> None:
    """Admission, as measured."""
    busiest = most_at_once([call for call in calls if call.context_id == str(context)])
    assert busiest <= room, f"{busiest} executions at once in a context that has room for {room}"
