"""A lease is long, so that trouble passes by what runs; a killed executor is replaced long before its end."""

import asyncio
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path

import pytest

from tests.support.audit import never_twice_at_once
from tests.support.recorded import READS
from tests.support.servers import Servers
from tests.support.system import System
from tests.support.world import World

LEASE_SECONDS = 60
JOBS = 200


@pytest.fixture(scope="module")
async def shared_patient(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[System]:
    """Everything, on servers of its own, with leases that no test outlasts."""
    directory = Path(tempfile.mkdtemp(prefix="rota-tests-"))
    try:
        with Servers(directory) as servers:
            async with (
                World.created(servers) as world,
                System.running(
                    world, tmp_path_factory.mktemp("patient"), EXECUTOR_LEASE_SECONDS=str(LEASE_SECONDS)
                ) as system,
            ):
                yield system
    finally:
        shutil.rmtree(directory)


@pytest.fixture
async def patient(shared_patient: System) -> System:
    await shared_patient.heal()
    return shared_patient


async def now(system: System) -> datetime:
    moment: datetime = await system.world.value("SELECT clock_timestamp()")
    return moment


async def test_a_killed_executor_is_replaced_long_before_its_lease_is_over(patient: System) -> None:
    """I1, I2, I3: its connection to NATS is gone, it gets notice, and its runs are begun anew."""
    context = await patient.many_jobs(JOBS, tool=READS, arguments={"seconds": 0.5})
    await patient.make_due(context)
    await patient.under_way(context, at_least=JOBS // 4)
    killed = await now(patient)
    # It may have been renewed since, and ends then at the earliest.
    lease_until = await patient.world.value("SELECT max(lease_until) FROM executors WHERE ended_at IS NULL")
    patient.kill("executor")
    patient.start("executor")
    await patient.all_accounted_for(context, JOBS)
    never_twice_at_once(patient.executions())
    took = (await now(patient) - killed).total_seconds()
    again = await patient.world.sql(
        "SELECT started_at FROM run_attempts WHERE context_id = :c AND attempt = 2", c=context
    )
    assert again
    assert [row.started_at for row in again if row.started_at >= lease_until] == []
    print(f"{len(again)} runs begun anew; all done {took:.1f} s after the kill")


@pytest.mark.parametrize("what", ["postgresql", "executor"])
async def test_what_stands_still_for_five_seconds_costs_no_run(patient: System, what: str) -> None:
    """I2, I3: neither a restart of PostgreSQL nor a process that stood still interrupts a run."""
    context = await patient.many_jobs(1, tool=READS, arguments={"seconds": 9, "says": "paid for"})
    await patient.make_due(context)
    await patient.under_way(context)
    if what == "postgresql":
        postgres = patient.world.servers.postgres
        await asyncio.to_thread(postgres.stop, "immediate")
        await asyncio.sleep(5)
        await asyncio.to_thread(postgres.start)
        await patient.world.reconnect()
    else:
        patient.signal("executor", signal.SIGSTOP)
        await asyncio.sleep(5)
        patient.signal("executor", signal.SIGCONT)
    await patient.all_accounted_for(context, 1)
    [result] = await patient.world.sql(
        "SELECT attempt, status, result_content FROM agent_execution_results WHERE context_id = :c", c=context
    )
    assert tuple(result) == (1, "success", "paid for")
    [call] = [one for one in patient.executions() if one.context_id == str(context)]
    assert call.how == "ended"
