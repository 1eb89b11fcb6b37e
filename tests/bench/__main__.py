"""`make bench`: what the whole path costs: the real processes, fsync on, an agent that does nothing."""

import argparse
import asyncio
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import psutil
from pydantic_ai import Agent
from rich.console import Console
from rich.table import Table

from tests.support import scripted
from tests.support.eventually import eventually
from tests.support.servers import SERVICES, Servers
from tests.support.system import System
from tests.support.world import World

SINGLES = 100
SINGLE_SPACING_MS = 200
BURST = 1_000
SUSTAINED = 5_000
REST_SECONDS = 20

LATENESS = """
    SELECT extract(epoch FROM a.started_at - o.effective_at) * 1000
    FROM run_attempts a JOIN occurrences o ON o.run_id = a.run_id WHERE o.context_id = :c
"""
LAST_STORED = """
    SELECT extract(epoch FROM max(r.created_at) - min(r.scheduled_for))
    FROM agent_execution_results r WHERE r.context_id = :c
"""


@dataclass
class Size:
    """Of one kind of process: how many, resident memory in MiB, CPU time in seconds."""

    processes: int
    memory_mib: float
    cpu_seconds: float


async def schedule(system: System, context: UUID, *, spacing_ms: int) -> None:
    """Sets the timers of a context to instants from 1.5 s ahead on, so far apart (0: one instant)."""
    await system.world.sql(
        "UPDATE job_timers t SET next_run_at = n.start + n.place * make_interval(secs => :spacing)"
        " FROM (SELECT id, row_number() OVER (ORDER BY id) AS place,"
        "       date_trunc('milliseconds', clock_timestamp()) + interval '1.5 s' AS start"
        "       FROM scheduled_jobs WHERE context_id = :c) n"
        " WHERE t.job_id = n.id",
        c=context,
        spacing=spacing_ms / 1000,
    )


async def stored(system: System, context: UUID, count: int) -> None:
    async def all_stored() -> bool:
        found = await system.world.value(
            "SELECT count(*) FROM agent_execution_results WHERE context_id = :c", c=context
        )
        closed = await system.world.value(
            "SELECT count(*) FROM occurrences WHERE context_id = :c AND state = 'closed'", c=context
        )
        return bool(found == count == closed)

    await eventually(all_stored, seconds=300, what=f"{count} results", every=0.5)


async def measure(system: System, count: int, *, spacing_ms: int = 0) -> tuple[float, float, float, float]:
    """Runs `count` jobs; lateness p50 and p99 in ms, seconds until all are stored, CPU ms per run."""
    context = await system.many_jobs(count, model="scripted:noop")
    before = sum(size.cpu_seconds for size in sizes(system).values())
    await schedule(system, context, spacing_ms=spacing_ms)
    await stored(system, context, count)
    cpu = sum(size.cpu_seconds for size in sizes(system).values()) - before
    late = sorted(float(row[0]) for row in await system.world.sql(LATENESS, c=context))
    took = float(await system.world.value(LAST_STORED, c=context))
    return statistics.median(late), late[int(len(late) * 0.99) - 1], took, cpu / count * 1000


def sizes(system: System) -> dict[str, Size]:
    """Each service and server with its children."""
    pids = {name: child.pid for name, child in system.processes.items()}
    pids |= {
        "nats-server": system.world.servers.nats.pid or 0,
        "postgres": system.world.servers.postgres.pid or 0,
    }
    return {name: _size(pid) for name, pid in pids.items()}


def _size(pid: int) -> Size:
    root = psutil.Process(pid)
    family = [root, *root.children(recursive=True)]
    memory = cpu = 0.0
    for process in family:
        try:
            with process.oneshot():
                info, times = process.memory_full_info(), process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        memory += info.uss / 2**20  # what would be free without it; pages that are shared count nowhere
        cpu += times.user + times.system + times.children_user + times.children_system
    return Size(len(family), memory, cpu)


async def at_rest(system: System) -> dict[str, tuple[float, float]]:
    """Memory in MiB and CPU in percent of one core, of each process while nothing is due."""
    before, begun = sizes(system), time.monotonic()
    await asyncio.sleep(REST_SECONDS)
    after, elapsed = sizes(system), time.monotonic() - begun
    return {
        name: (after[name].memory_mib, (after[name].cpu_seconds - before[name].cpu_seconds) / elapsed * 100)
        for name in before
    }


async def bare_agent_cpu_ms(runs: int = 500) -> float:
    """CPU per run of the same agent without Rota: what the path is compared with, on any machine."""
    agent = Agent(scripted.model("noop"))
    await agent.run("Look.")
    begun = time.process_time()
    for _ in range(runs):
        await agent.run("Look.")
    return (time.process_time() - begun) / runs * 1000


async def main(runs: int) -> None:
    console = Console(width=110)
    bare = await bare_agent_cpu_ms()
    with tempfile.TemporaryDirectory() as directory, Servers(Path(directory), durable=True) as servers:
        async with World.created(servers) as world, System.running(world, Path(directory), pace={}) as system:
            console.print("warming up ...")
            await measure(system, 200)
            console.print("measuring ...")
            single = await measure(system, SINGLES, spacing_ms=SINGLE_SPACING_MS)
            burst = await measure(system, BURST)
            sustained = await measure(system, runs)
            console.print("resting ...")
            rest = await at_rest(system)
    console.print(speed_table(single, burst, sustained, runs), rest_table(rest))
    cpu = sustained[3]
    console.print(
        f"CPU per run, five services and both servers : the bare agent = {cpu:.2f} : {bare:.2f} ms"
        f" = {cpu / bare:.1f} : 1"
    )


Figures = tuple[float, float, float, float]


def speed_table(single: Figures, burst: Figures, sustained: Figures, runs: int) -> Table:
    table = Table(title="a no-op agent, all five services, fsync and sync_interval: always")
    for column in ("", "lateness p50", "lateness p99", "all stored after", "runs/s", "CPU per run"):
        table.add_column(column, justify="right" if column else "left")
    table.add_row(f"{SINGLES} single jobs", f"{single[0]:.1f} ms", f"{single[1]:.1f} ms", "", "", "")
    for name, count, figures in (("burst", BURST, burst), ("sustained", runs, sustained)):
        p50, p99, took, cpu = figures
        table.add_row(
            f"{name}: {count} at one instant",
            f"{p50:.0f} ms",
            f"{p99:.0f} ms",
            f"{took:.2f} s",
            f"{count / took:.0f}",
            f"{cpu:.2f} ms",
        )
    return table


def rest_table(rest: dict[str, tuple[float, float]]) -> Table:
    table = Table(title="at rest")
    for column in ("", "memory", "CPU"):
        table.add_column(column, justify="right" if column else "left")
    for name in (*SERVICES, "nats-server", "postgres"):
        memory, cpu = rest[name]
        table.add_row(name, f"{memory:.0f} MiB", f"{cpu:.1f} %")
    return table


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="make bench ARGS=")
    parser.add_argument("--runs", type=int, default=SUSTAINED, help="of the sustained measurement")
    asyncio.run(main(parser.parse_args().runs))
