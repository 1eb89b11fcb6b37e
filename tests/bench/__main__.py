"""`make bench`: what the whole path costs, with the real processes and durability on.

The jobs call a tool that does nothing, so that what is measured is Rota and its two servers.
"""

import argparse
import asyncio
import functools
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from rota_cli.local.port import free_port
from tests.bench.agents import agents
from tests.bench.agents import environment as model_environment
from tests.bench.load import Figures, all_done, jobs, lateness, make_due, measure
from tests.bench.sizes import sizes
from tests.support.eventually import eventually
from tests.support.servers import SERVICES, Servers
from tests.support.system import System
from tests.support.world import World

SINGLES = 60
BURST = 10_000
SUSTAINED = 20_000
KILLED = 2_000
HELD = 1_000_000
CREATED = 100_000
REST_SECONDS = 20

HOLD = """
    WITH made AS (
        INSERT INTO scheduled_jobs (context_id, name, cron_expression, tool)
        SELECT :context, 'held ' || n, '0 0 1 1 *', 'noop'
        FROM generate_series(CAST(:first AS int), CAST(:last AS int)) n
        RETURNING id, context_id
    )
    INSERT INTO job_timers (job_id, context_id, planned_generation, accounted_until, next_run_at, wake_at)
    SELECT id, context_id, 1, now(), now() + interval '300 days', now() + interval '300 days' FROM made
"""

ALL_PLANNED = """
    SELECT NOT EXISTS (SELECT 1 FROM scheduled_jobs j LEFT JOIN job_timers t ON t.job_id = j.id
                       WHERE t.planned_generation IS DISTINCT FROM j.generation)
"""

AN_HOUR_BACK = """
    UPDATE job_timers SET accounted_until = clock_timestamp() - interval '1 hour',
        next_run_at = date_trunc('minute', clock_timestamp() - interval '59 minutes'),
        wake_at = date_trunc('minute', clock_timestamp() - interval '59 minutes')
    WHERE context_id = ANY (:contexts)
"""
CAUGHT_UP = """
    SELECT count(DISTINCT job_id) = 10000 AND count(*) FILTER (WHERE closed_at IS NULL) = 0
    FROM occurrences WHERE context_id = ANY (:contexts)
"""

SETTINGS = {"EXECUTOR_PLUGINS": "tests.bench.noop", "EXECUTOR_SLOTS": "2000"}

console = Console(width=120)
Section = Callable[[System], Awaitable[None]]


async def speed(system: System) -> None:
    """One job a second, ten thousand at one instant, and a sustained load."""
    await measure(system, 400)
    rows = [
        ("one job a second", await measure(system, SINGLES, contexts=1, spacing=1.0), SINGLES),
        (f"{BURST:,} at one instant", await measure(system, BURST), BURST),
        (f"{SUSTAINED:,} at one instant", await measure(system, SUSTAINED), SUSTAINED),
    ]
    table = Table(title="a tool that does nothing, all five services, fsync and sync_interval: always")
    for column in ("", "lateness p50", "p99", "all stored after", "runs/s", "CPU per run"):
        table.add_column(column, justify="right" if column else "left")
    for name, figures, count in rows:
        table.add_row(name, *_row(figures, count))
    console.print(table)


def _row(figures: Figures, count: int) -> tuple[str, ...]:
    return (
        f"{figures.p50:.1f} ms",
        f"{figures.p99:.1f} ms",
        f"{figures.took:.2f} s",
        f"{count / figures.took:,.0f}",
        f"{figures.cpu:.2f} ms",
    )


async def killed(system: System) -> None:
    """An executor is killed among 2,000 jobs, and started again."""
    made = await jobs(system, KILLED)
    await make_due(system, made)
    await asyncio.sleep(2.2)
    system.kill("executor")
    begun = time.monotonic()
    system.start("executor")
    await all_done(system, made, KILLED, every=0.1)
    attempts = await system.world.value(
        "SELECT count(*) FROM run_attempts WHERE context_id = ANY (:c) AND state = 'ended'", c=made
    )
    console.print(
        f"executor killed among {KILLED:,} jobs: lost 0, ended twice {attempts - KILLED},"
        f" all done {time.monotonic() - begun:.1f} s after"
    )


async def caught_up(system: System) -> None:
    """Ten thousand jobs of every minute after an hour of downtime, three at once in each of 20 contexts."""
    made = await jobs(system, BURST, at_once=3)
    other = await jobs(system, SINGLES, contexts=1)
    await system.world.sql(
        "UPDATE scheduled_jobs SET cron_expression = '* * * * *' WHERE context_id = ANY (:c)", c=made
    )
    await eventually(functools.partial(is_true, system, ALL_PLANNED), seconds=120, what="the plan", every=0.5)
    begun = time.monotonic()
    await make_due(system, other, spacing_seconds=0.2)
    await system.world.sql(AN_HOUR_BACK, contexts=made)
    await eventually(
        functools.partial(is_true, system, CAUGHT_UP, contexts=made),
        seconds=600,
        what="the catch-up",
        every=0.5,
    )
    took = time.monotonic() - begun
    late = await lateness(system, other)
    console.print(
        f"{BURST:,} jobs of every minute after an hour: accounted for, and run once each, after {took:.1f} s;"
        f" another tenant's meanwhile: p50 {statistics.median(late):.1f} ms, worst {late[-1]:.1f} ms late"
    )
    # Else they would go on every minute, beside what is measured next.
    await system.world.sql("UPDATE scheduled_jobs SET is_enabled = false WHERE context_id = ANY (:c)", c=made)


async def is_true(system: System, statement: str, **values: Any) -> bool:
    return bool(await system.world.value(statement, **values))


async def rest(system: System) -> None:
    """Memory and CPU of each process while nothing is due."""
    console.print(await _rest_table(system, "at rest"))


async def held(system: System) -> None:
    """A million schedules far in the future: what they cost, and how late one more is."""
    context = await system.world.a_context()
    begun = time.monotonic()
    for first in range(0, HELD, 50_000):
        await system.world.sql(HOLD, context=context, first=first + 1, last=first + 50_000)
    await system.world.sql("VACUUM ANALYZE")
    console.print(f"{HELD:,} schedules are there after {time.monotonic() - begun:.0f} s")
    await asyncio.sleep(60)  # the planner looks through what is new
    table = await _rest_table(system, f"{HELD:,} schedules held")
    made = await jobs(system, 20, contexts=1)
    await make_due(system, made, spacing_seconds=0.5)
    await all_done(system, made, 20)
    late = await lateness(system, made)
    console.print(table, f"lateness of one more: p50 {late[10]:.1f} ms, worst of 20 {late[-1]:.1f} ms")


async def planned(system: System) -> None:
    """A hundred thousand jobs created over the API, until the last one is planned."""
    context = await system.a_context("Many")
    begun = time.monotonic()
    for batch in range(CREATED // 1000):
        definitions = [
            {"name": f"job {batch}-{n}", "cron_expression": f"{n % 60} {n % 24} 1 1 *", "tool": "clock"}
            for n in range(1000)
        ]
        await system.post(f"/contexts/{context}/jobs:batch", {"jobs": definitions})
    created = time.monotonic() - begun

    await eventually(functools.partial(is_true, system, ALL_PLANNED), seconds=600, what="the plan", every=0.5)
    took = time.monotonic() - begun
    console.print(f"{CREATED:,} jobs created in {created:.1f} s, all planned after {took:.1f} s")


async def _rest_table(system: System, title: str) -> Table:
    before, begun = sizes(system), time.monotonic()
    await asyncio.sleep(REST_SECONDS)
    after, elapsed = sizes(system), time.monotonic() - begun
    table = Table(title=title)
    for column in ("", "memory", "CPU"):
        table.add_column(column, justify="right" if column else "left")
    for name in (*SERVICES, "nats-server", "postgres"):
        share = (after[name].cpu_seconds - before[name].cpu_seconds) / elapsed * 100
        table.add_row(name, f"{after[name].memory_mib:.0f} MiB", f"{share:.1f} %")
    return table


SECTIONS: dict[str, Section] = {
    "speed": speed,
    "rest": rest,
    "caught_up": caught_up,
    "killed": killed,
    "planned": planned,
    "held": held,
    "agents": agents,
}


async def main(names: list[str]) -> None:
    with tempfile.TemporaryDirectory() as directory, Servers(Path(directory), durable=True) as servers:
        async with (
            World.created(servers) as world,
            System.running(
                world,
                Path(directory),
                pace={},
                EXECUTOR_PLUGINS="tests.bench.noop",
                EXECUTOR_SLOTS="2000",
                **model_environment(free_port()),
            ) as system,
        ):
            for name in names:
                console.print(f"{name} ...")
                await SECTIONS[name](system)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="make bench ARGS=")
    parser.add_argument("sections", nargs="*", choices=[*SECTIONS, []], help="all, unless named")
    asyncio.run(main(parser.parse_args().sections or list(SECTIONS)))
