"""PostgreSQL stops as in a power cut, or cuts its connections, while runs are under way."""

import asyncio
import random

from tests.chaos.conftest import Measure
from tests.support.audit import at_rest, audit, disable, never_twice_at_once
from tests.support.load import a_load
from tests.support.recorded import READS
from tests.support.system import System

RUNS = 40


async def test_a_restarted_postgres_loses_and_doubles_nothing(system: System) -> None:
    """I1, I2: PostgreSQL stops at once while runs are under way and comes back."""
    context = await system.many_jobs(RUNS, tool=READS, arguments={"seconds": 1})
    await system.make_due(context)
    await system.under_way(context)
    await _restart(system)
    await system.all_accounted_for(context, RUNS)
    never_twice_at_once(system.executions())


async def test_postgres_may_be_restarted_under_load_again_and_again(
    system: System, dice: random.Random, measure: Measure
) -> None:
    """I1, I2, I3: each due instant once in the ledger, each run stored and told, whatever was cut off."""
    load = await a_load(system.world, dice, measure.jobs)
    for _ in range(max(2, int(measure.seconds / 6))):
        await asyncio.sleep(dice.uniform(1, 4))
        await _restart(system)
    await disable(system.world, load.contexts)
    await at_rest(system.world, load.contexts)
    came_to = await audit(system.world, load.contexts)
    never_twice_at_once(system.executions())
    assert came_to["ran"]


async def test_connections_may_be_cut_every_second(
    system: System, dice: random.Random, measure: Measure
) -> None:
    """I1, I2, I3: a statement that is cut off either happened or is repeated, and nothing happens twice."""
    load = await a_load(system.world, dice, measure.jobs)
    cut = 0
    for _ in range(int(measure.seconds / 2)):
        await asyncio.sleep(1)
        cut += await system.world.value(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    await disable(system.world, load.contexts)
    await at_rest(system.world, load.contexts)
    came_to = await audit(system.world, load.contexts)
    never_twice_at_once(system.executions())
    assert came_to["ran"]
    assert cut > measure.seconds


async def _restart(system: System) -> None:
    postgres = system.world.servers.postgres
    await asyncio.to_thread(postgres.stop, "immediate")
    await asyncio.to_thread(postgres.start)
    await system.world.reconnect()
