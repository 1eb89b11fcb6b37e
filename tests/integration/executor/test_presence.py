"""NATS knows at once that an executor is gone; one that only stands still is there."""

import asyncio
import signal
from datetime import UTC, datetime
from pathlib import Path

from rota_contracts.presence import presence_subject
from rota_ticker.presence import Presence, watch
from rota_ticker.service import keep_reconciled
from tests.integration.executor import toolbox
from tests.integration.executor.conftest import Stage
from tests.integration.executor.process import process
from tests.integration.executor.test_leases import begun, database_away
from tests.support.eventually import eventually
from tests.support.line import Line
from tests.support.ticking import a_ticker


async def left(stage: Stage) -> float:
    """How long the lease goes on, in seconds."""
    return float(
        await stage.world.value("SELECT extract(epoch FROM lease_until - clock_timestamp()) FROM executors")
    )


async def a_presence(stage: Stage) -> Presence:
    return Presence(stage.world.database("ticker"), await stage.world.bus("ticker"))


async def test_a_process_that_is_stopped_is_there_and_one_that_is_killed_is_not(
    stage: Stage, tmp_path: Path
) -> None:
    await stage.an_agent("scripted:slow")
    presence = await a_presence(stage)
    async with process(stage, tmp_path / "executor.log", EXECUTOR_LEASE_SECONDS="60") as executor:
        event = await begun(stage)
        subject = presence_subject((await stage.attempt(event)).executor)
        executor.send_signal(signal.SIGSTOP)
        for _ in range(20):
            assert await stage.ticker.absent([subject], 5) == set()
            await presence.look()
        assert await left(stage) > 10
        executor.send_signal(signal.SIGCONT)
        executor.kill()
        executor.wait()

        async def has_notice() -> bool:
            await presence.look()
            return await left(stage) <= 2.5

        await eventually(has_notice, what="notice")
        assert await stage.ticker.absent([subject], 5) == {subject}


async def test_cut_off_from_both_it_has_stopped_before_anybody_takes_over(stage: Stage) -> None:
    """I3: it is the ticker that may still reach both."""
    toolbox.stops.clear()
    ticker = await a_ticker(stage.world)
    stopping, over = asyncio.Event(), asyncio.Event()
    following = [
        asyncio.create_task(
            watch(await a_presence(stage), attempts_out=ticker.attempts_out, lease_over=over.set)
        ),
        asyncio.create_task(keep_reconciled(ticker, 0.5, over, stopping)),
    ]
    async with (
        Line.to(stage.world.servers.nats.url) as line,
        stage.executor(ROTA_NATS_URL=line.url, EXECUTOR_GRACE_SECONDS="0", EXECUTOR_LEASE_SECONDS="60"),
    ):
        event = await stage.due(tool="hanging")

        async def is_held() -> bool:
            return bool(await stage.attempt(event))

        await eventually(is_held)
        cut = datetime.now(UTC)
        await line.cut()
        async with database_away(stage):

            async def is_taken_over() -> bool:
                return bool(await stage.world.value("SELECT attempt = 2 FROM occurrences"))

            await eventually(is_taken_over, seconds=30, what="the takeover")
            [taken_over] = await stage.world.sql(
                "SELECT coalesce((SELECT ended_at FROM executors), now()), losses FROM occurrences"
            )
        await line.mend()
    for task in following:
        task.cancel()
    assert taken_over.losses == 1
    # By notice, not by the end of the lease.
    assert (taken_over[0] - cut).total_seconds() < 60
    assert [stopped < taken_over[0] for stopped in toolbox.stops] == [True]
