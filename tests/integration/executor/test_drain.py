"""SIGTERM: finish what can be finished, hand over the rest. With a real process."""

import signal
import subprocess
from pathlib import Path

from rota_contracts.events import JobDue
from tests.integration.executor.conftest import Stage
from tests.integration.executor.process import process
from tests.integration.executor.test_leases import database_away
from tests.support.eventually import eventually


async def started(stage: Stage, event: JobDue) -> bool:
    return await stage.attempt(event) is not None


async def exited(running: "subprocess.Popen[bytes]") -> bool:
    return running.poll() is not None


async def test_sigterm_lets_runs_finish_and_hands_over_those_that_do_not(
    stage: Stage, tmp_path: Path
) -> None:
    await stage.an_agent("scripted:slow")
    log = tmp_path / "executor.log"
    async with process(stage, log, EXECUTOR_SLOTS="2", EXECUTOR_GRACE_SECONDS="3") as running:
        short, long = await stage.due("sleep 1.5"), await stage.due("sleep 100")
        waiting = await stage.due("sleep 100")
        await eventually(lambda: started(stage, short), what=log.read_text())
        await eventually(lambda: started(stage, long))
        running.send_signal(signal.SIGTERM)
        await eventually(lambda: exited(running), what="the end of the process")
        assert running.returncode == 0, log.read_text()

    assert (await stage.completed(short)).status == "success"
    released = await stage.attempt(long)
    assert (released.state, released.outcome) == ("released", None)
    assert await stage.world.value("SELECT bool_and(ended_at IS NOT NULL) FROM executors")
    assert await stage.attempt(waiting) is None
    assert len(await stage.said("job.completed")) == 1
    info = await stage.world.nats_admin.jetstream().consumer_info("JOBS", "executor")
    assert (info.num_ack_pending or 0, info.num_pending) == (0, 1)  # the one that waits for another executor


async def test_an_idle_executor_stops_at_once(stage: Stage, tmp_path: Path) -> None:
    log = tmp_path / "executor.log"

    async def is_up() -> bool:
        return '"action":"started"' in log.read_text()

    async with process(stage, log) as running:
        await eventually(is_up, what="the start")
        running.send_signal(signal.SIGTERM)
        await eventually(lambda: exited(running), what="the end of the process")
        assert running.returncode == 0
        assert '"action":"stopped"' in log.read_text()


async def test_an_executor_whose_claim_waits_for_postgresql_stops_all_the_same(
    stage: Stage, tmp_path: Path
) -> None:
    await stage.an_agent("scripted:noop")
    log = tmp_path / "executor.log"

    async def is_waiting() -> bool:
        return '"action":"claim_waits"' in log.read_text()

    async with process(stage, log) as running:
        await stage.completed(await stage.due())  # it has a lease now
        async with database_away(stage):
            await stage.due()
            await eventually(is_waiting, what="the claim")
            running.send_signal(signal.SIGTERM)
            await eventually(lambda: exited(running), what="the end of the process")
    assert running.returncode == 0, log.read_text()


async def test_an_executor_that_still_waits_for_nats_stops_at_once(stage: Stage, tmp_path: Path) -> None:
    log = tmp_path / "executor.log"

    async def is_waiting() -> bool:
        return "health is served" in log.read_text()

    async with process(stage, log, ROTA_NATS_URL="nats://127.0.0.1:1") as running:
        await eventually(is_waiting, what="the start")
        running.send_signal(signal.SIGTERM)
        await eventually(lambda: exited(running), what="the end of the process")


async def test_settings_that_cannot_be_used_are_all_named_at_start(stage: Stage, tmp_path: Path) -> None:
    log = tmp_path / "executor.log"
    async with process(stage, log, EXECUTOR_SLOTS="none", EXECUTOR_SERVICE_URLS="ticker") as running:
        await eventually(lambda: exited(running))
        assert running.returncode == 2
    assert "EXECUTOR_SLOTS" in log.read_text()
    assert "'ticker' is not of the form" in log.read_text()


async def test_a_plugin_that_does_not_exist_is_named_at_start(stage: Stage, tmp_path: Path) -> None:
    log = tmp_path / "executor.log"
    async with process(stage, log, EXECUTOR_PLUGINS="no.such.module") as running:
        await eventually(lambda: exited(running))
        assert running.returncode == 1
    assert "The plug-in 'no.such.module' (EXECUTOR_PLUGINS) cannot be used" in log.read_text()
