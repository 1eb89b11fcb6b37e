"""NATS is killed, or loses everything it had stored, while runs are under way."""

import asyncio
import random
import shutil

from tests.chaos.conftest import Measure
from tests.support.audit import at_rest, audit, disable, never_twice_at_once
from tests.support.load import a_load
from tests.support.recorded import READS
from tests.support.system import System

RUNS = 40


async def test_a_killed_nats_loses_and_doubles_nothing(system: System) -> None:
    """I1, I2: NATS is killed while runs are under way and comes back; everybody goes on by itself."""
    context = await system.many_jobs(RUNS, tool=READS, arguments={"seconds": 1})
    await system.make_due(context)
    await system.under_way(context)
    nats = system.world.servers.nats
    nats.kill()
    await asyncio.to_thread(nats.start)
    await system.all_accounted_for(context, RUNS)
    again = await system.many_jobs(RUNS, tool=READS)
    await system.make_due(again)
    await system.all_accounted_for(again, RUNS)
    never_twice_at_once(system.executions())


async def test_nats_may_be_killed_under_load_again_and_again(
    system: System, dice: random.Random, measure: Measure
) -> None:
    """I1, I2, I3: each due instant once in the ledger, each run stored and told, whenever NATS is away."""
    load = await a_load(system.world, dice, measure.jobs)
    nats = system.world.servers.nats
    for _ in range(int(measure.seconds / 4)):
        await asyncio.sleep(dice.uniform(0.5, 3))
        nats.kill()
        await asyncio.sleep(dice.uniform(0, 2))
        await asyncio.to_thread(nats.start)
    await disable(system.world, load.contexts)
    await at_rest(system.world, load.contexts)
    came_to = await audit(system.world, load.contexts)
    never_twice_at_once(system.executions())
    assert came_to["ran"]


async def test_the_streams_may_vanish_while_runs_are_under_way(system: System) -> None:
    """I2: PostgreSQL remembers; the loss of everything in NATS costs time, no run and no result."""
    context = await system.many_jobs(RUNS, tool=READS, arguments={"seconds": 1})
    await system.make_due(context)
    await system.under_way(context)
    jetstream = system.world.nats_admin.jetstream()
    for name in ("JOBS", "RUNS", "DEAD_LETTERS"):
        await jetstream.delete_stream(name)
    await system.all_accounted_for(context, RUNS)


async def test_the_data_directory_of_nats_may_be_lost_under_load(
    system: System, dice: random.Random, measure: Measure
) -> None:
    """I2: streams come back by themselves, and everything due ends in the ledger."""
    load = await a_load(system.world, dice, measure.jobs)
    await system.under_way(load.contexts[-1], at_least=3)
    nats = system.world.servers.nats
    nats.kill()
    shutil.rmtree(nats.data_dir / "jetstream")
    await asyncio.to_thread(nats.start)
    again = await system.many_jobs(RUNS, tool=READS)
    await system.make_due(again)
    await system.all_accounted_for(again, RUNS)
    await disable(system.world, load.contexts)
    await at_rest(system.world, load.contexts)
    came_to = await audit(system.world, load.contexts)
    never_twice_at_once(system.executions())
    assert came_to["ran"]
    streams = await system.world.nats_admin.jetstream().streams_info()
    assert {stream.config.name for stream in streams} == {"JOBS", "RUNS", "DEAD_LETTERS"}
