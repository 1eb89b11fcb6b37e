"""Processes are killed at random, under load, again and again."""

import asyncio
import random
import time
from pathlib import Path

from tests.chaos.conftest import Measure
from tests.support.audit import at_rest, audit, disable, never_twice_at_once, within_room
from tests.support.load import a_load
from tests.support.system import System
from tests.support.world import World

ALSO = ("ticker-2", "ticker-3", "executor-2", "results-2", "notifier-2")


async def test_whatever_is_killed_every_due_instant_is_accounted_for_once(
    world: World, tmp_path: Path, dice: random.Random, measure: Measure
) -> None:
    """I1, I2, I3: each due instant once in the ledger, each run stored, told, executed once at a time."""
    async with System.running(world, tmp_path, also=ALSO) as system:
        load = await a_load(world, dice, measure.jobs)
        killed = await _killing(system, dice, measure.seconds)
        await disable(world, load.contexts)
        await at_rest(world, load.contexts)
        came_to = await audit(world, load.contexts)
        calls = system.executions()
    never_twice_at_once(calls)
    for context, room in load.rooms.items():
        within_room(calls, context, room)
    died = sum(call.how == "died" for call in calls)
    print(f"killed {killed}; instants {dict(came_to)}; executions {len(calls)}, cut off {died}")
    assert came_to["ran"] > measure.seconds
    assert came_to["skipped"]
    assert died


async def _killing(system: System, dice: random.Random, seconds: float) -> int:
    """Kills a process every second or so, every other time an executor; how often."""
    over = time.monotonic() + seconds
    killed = 0
    while time.monotonic() < over:
        await asyncio.sleep(dice.uniform(0.3, 1.5))
        executors = [name for name in system.processes if name.startswith("executor")]
        name = dice.choice(executors if killed % 2 else list(system.processes))
        system.kill(name)
        killed += 1
        await asyncio.sleep(dice.uniform(0, 0.5))
        system.start(name)
    await system.heal()
    return killed
