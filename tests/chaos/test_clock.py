"""The machine sleeps for a day; the clock of PostgreSQL jumps. The services' own clocks do not count."""

import random
import shutil
import signal
import tempfile
from collections import Counter
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest

from tests.chaos.conftest import Measure
from tests.support.audit import at_rest, audit, disable, never_twice_at_once
from tests.support.clocked import ClockedPostgres
from tests.support.eventually import eventually
from tests.support.load import Load, a_load
from tests.support.recorded import READS
from tests.support.servers import Servers
from tests.support.system import System
from tests.support.world import World

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


@pytest.fixture(scope="module")
async def shared_clocked(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[System]:
    """Everything, on servers of its own whose clock may be moved."""
    directory = Path(tempfile.mkdtemp(prefix="rota-tests-"))
    try:
        with Servers(directory, clocked=True) as servers:
            async with (
                World.created(servers) as world,
                System.running(
                    world, tmp_path_factory.mktemp("clocked"), also=("ticker-2", "executor-2")
                ) as system,
            ):
                yield system
    finally:
        shutil.rmtree(directory)


@pytest.fixture
async def clocked(shared_clocked: System) -> System:
    await shared_clocked.heal()
    return shared_clocked


def jump(system: System, by: timedelta) -> None:
    postgres = system.world.servers.postgres
    assert isinstance(postgres, ClockedPostgres)
    postgres.jump(by)


async def now(system: System) -> datetime:
    moment: datetime = await system.world.value("SELECT clock_timestamp()")
    return moment


async def due_after(system: System, contexts: list[UUID], moment: datetime) -> None:
    """Waits until something ran that was due after the moment."""

    async def ran() -> bool:
        statement = (
            "SELECT count(*) FROM occurrences WHERE context_id = ANY (CAST(:c AS uuid[]))"
            " AND disposition = 'ran' AND scheduled_for > :m"
        )
        return bool(await system.world.value(statement, c=contexts, m=moment))

    await eventually(ran, seconds=90, every=0.2, what=f"a run that was due after {moment}")


async def by_policy(system: System, contexts: list[UUID]) -> Counter[tuple[str, str]]:
    """How many instants came to which disposition, by catch-up policy."""
    rows = await system.world.sql(
        "SELECT j.catch_up_policy, o.disposition, sum(o.instants) AS instants FROM occurrences o"
        " JOIN scheduled_jobs j ON j.id = o.job_id WHERE o.context_id = ANY (CAST(:c AS uuid[]))"
        " GROUP BY 1, 2",
        c=contexts,
    )
    return Counter({(row[0], row[1]): int(row[2]) for row in rows})


async def it_adds_up(system: System, load: Load) -> None:
    await disable(system.world, load.contexts)
    await at_rest(system.world, load.contexts)
    came_to = await audit(system.world, load.contexts)
    never_twice_at_once(system.executions())
    print(f"instants {dict(came_to)}, executions {len(system.executions())}")


async def test_a_machine_that_slept_for_a_day_catches_up_as_each_job_says(
    clocked: System, dice: random.Random, measure: Measure
) -> None:
    """I1, I3: what was due meanwhile is run, coalesced or missed, once each; nothing runs beside itself."""
    load = await a_load(clocked.world, dice, measure.jobs, swift=True)
    minutely = await clocked.world.a_context()
    for policy in ("latest", "all", "skip"):
        await clocked.world.a_job(minutely, tool=READS, catch_up_policy=policy, catch_up_max_runs=7)
    long = await clocked.many_jobs(10, tool=READS, arguments={"seconds": 8})
    await clocked.make_due(long)
    await clocked.under_way(long, at_least=10)
    names = [name for name in clocked.processes if name != "gateway"]
    for name in names:
        clocked.signal(name, signal.SIGSTOP)
    asleep = await now(clocked)
    jump(clocked, DAY)
    for name in names:
        clocked.signal(name, signal.SIGCONT)
    await due_after(clocked, load.contexts, asleep + DAY)
    await due_after(clocked, [minutely], asleep + DAY - timedelta(minutes=2))
    everything = Load({**load.rooms, minutely: 3})
    await clocked.all_accounted_for(long, 10)
    await it_adds_up(clocked, everything)
    came_to = await by_policy(clocked, [minutely])
    # A day has 1440 minutes, of which the last 60 are caught up with; in each minute since, one more may run.
    since = (await now(clocked) - asleep - DAY) // timedelta(minutes=1) + 1
    assert 1 <= came_to["latest", "ran"] <= 1 + since
    assert came_to["latest", "coalesced"] in {58, 59, 60}
    assert came_to["latest", "missed"] >= 1379
    assert 7 <= came_to["all", "ran"] + came_to["all", "skipped"] <= 7 + since
    assert 1 <= came_to["skip", "ran"] <= 1 + since
    assert came_to["skip", "missed"] >= 1439


async def test_a_clock_that_jumps_forward_is_a_downtime(
    clocked: System, dice: random.Random, measure: Measure
) -> None:
    """I1, I3: the hour that never was is accounted for by the policies, and nothing runs beside itself."""
    load = await a_load(clocked.world, dice, measure.jobs, swift=True)
    long = await clocked.many_jobs(20, tool=READS, arguments={"seconds": 8})
    await clocked.make_due(long)
    await clocked.under_way(long, at_least=20)
    before = await now(clocked)
    jump(clocked, HOUR)
    await due_after(clocked, load.contexts, before + HOUR)
    await clocked.all_accounted_for(long, 20)
    await it_adds_up(clocked, load)
    came_to = await by_policy(clocked, load.contexts)
    assert came_to["latest", "coalesced"] > 600
    assert came_to["skip", "missed"] > 600
    assert came_to["all", "missed"] > 600


async def test_a_clock_that_jumps_back_repeats_nothing_and_stops_nothing_for_ever(
    clocked: System, dice: random.Random, measure: Measure
) -> None:
    """I1, I3: what was run is not run again; new jobs run; once the clock has caught up, so do the others."""
    load = await a_load(clocked.world, dice, measure.jobs, swift=True)
    await due_after(clocked, load.contexts, await now(clocked))
    jump(clocked, -HOUR)
    back = await now(clocked)
    fresh = await a_load(clocked.world, dice, measure.jobs, swift=True)
    await due_after(clocked, fresh.contexts, back + timedelta(seconds=3))
    behind = await clocked.many_jobs(20, tool=READS)
    await clocked.make_due(behind)
    await clocked.all_accounted_for(behind, 20)
    newest = await clocked.world.value(
        "SELECT max(scheduled_for) FROM occurrences WHERE context_id = ANY (CAST(:c AS uuid[]))",
        c=load.contexts,
    )
    assert newest < back + HOUR + timedelta(minutes=1)
    jump(clocked, HOUR)
    await due_after(clocked, load.contexts, newest)
    await due_after(clocked, fresh.contexts, newest)
    await it_adds_up(clocked, Load({**load.rooms, **fresh.rooms}))


async def test_what_waits_while_the_clock_jumps_back_does_not_wait_for_the_old_time(clocked: System) -> None:
    """I2: queued for room and for a retry, by a clock an hour ahead: all of it ends within minutes."""
    queued = await clocked.many_jobs(6, tool=READS, arguments={"seconds": 1}, at_once=1)
    failing = await clocked.many_jobs(3, model="scripted:fail", retries=1, backoff_seconds=5)
    await clocked.make_due(queued, failing)

    async def waits() -> bool:
        statement = (
            "SELECT count(*) = 3 FROM occurrences WHERE context_id = :c AND attempt = 2 AND state = 'queued'"
        )
        return bool(await clocked.world.value(statement, c=failing))

    await eventually(waits, seconds=60, what="the retries")
    jump(clocked, -HOUR)
    await clocked.all_accounted_for(queued, 6)
    await clocked.all_accounted_for(failing, 3)
    assert clocked.said("clock_set_back")
