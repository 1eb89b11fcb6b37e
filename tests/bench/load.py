"""Jobs in numbers, due when the measurement says so, and what became of them."""

import statistics
from dataclasses import dataclass
from uuid import UUID

from tests.bench.sizes import cpu_seconds
from tests.support.eventually import eventually
from tests.support.system import System

CONTEXTS = 20

SCHEDULE = """
    UPDATE job_timers t
    SET accounted_until = n.start - interval '1 s',
        next_run_at = n.start + n.place * make_interval(secs => :spacing),
        wake_at = n.start + n.place * make_interval(secs => :spacing)
    FROM (SELECT id, row_number() OVER (ORDER BY id) AS place,
                 date_trunc('milliseconds', clock_timestamp()) + interval '2 s' AS start
          FROM scheduled_jobs WHERE context_id = ANY (:contexts)) n
    WHERE t.job_id = n.id
"""
DONE = """
    SELECT (SELECT count(*) FROM agent_execution_results WHERE context_id = ANY (:contexts)),
           (SELECT count(*) FROM occurrences WHERE context_id = ANY (:contexts) AND state = 'closed'),
           (SELECT count(*) FROM notifications WHERE context_id = ANY (:contexts))
"""
LATENESS = """
    SELECT extract(epoch FROM a.started_at - o.effective_at) * 1000
    FROM run_attempts a JOIN occurrences o ON o.run_id = a.run_id
    WHERE o.context_id = ANY (:contexts) AND a.attempt = 1
"""
LAST_STORED = """
    SELECT extract(epoch FROM max(r.created_at) - min(r.scheduled_for))
    FROM agent_execution_results r WHERE r.context_id = ANY (:contexts)
"""


@dataclass(frozen=True)
class Figures:
    """Lateness in ms, seconds until the last result was stored, CPU per run in ms."""

    p50: float
    p99: float
    took: float
    cpu: float


async def jobs(system: System, count: int, *, contexts: int = CONTEXTS, at_once: int = 1000) -> list[UUID]:
    """Planned jobs that call a tool that does nothing; their contexts."""
    made = [await system.many_jobs(count // contexts, tool="noop", at_once=at_once) for _ in range(contexts)]
    await system.world.sql("VACUUM ANALYZE")
    return made


async def make_due(system: System, contexts: list[UUID], *, spacing_seconds: float = 0) -> None:
    """From 2 s ahead on, so far apart."""
    await system.world.sql(SCHEDULE, contexts=contexts, spacing=spacing_seconds)


async def all_done(system: System, contexts: list[UUID], count: int, *, every: float = 0.5) -> None:
    async def done() -> bool:
        [row] = await system.world.sql(DONE, contexts=contexts)
        return all(found == count for found in row)

    await eventually(done, seconds=600, what=f"{count} results", every=every)


async def measure(system: System, count: int, *, contexts: int = CONTEXTS, spacing: float = 0) -> Figures:
    """Runs `count` jobs, at one instant or so many seconds apart."""
    made = await jobs(system, count, contexts=contexts)
    before = cpu_seconds(system)
    await make_due(system, made, spacing_seconds=spacing)
    await all_done(system, made, count)
    cpu = cpu_seconds(system) - before
    late = await lateness(system, made)
    took = float(await system.world.value(LAST_STORED, contexts=made))
    return Figures(statistics.median(late), late[int(len(late) * 0.99) - 1], took, cpu / count * 1000)


async def lateness(system: System, contexts: list[UUID]) -> list[float]:
    """From the due instant to the begin of the first attempt, in ms, sorted."""
    return sorted(float(row[0]) for row in await system.world.sql(LATENESS, contexts=contexts))
