"""The ledger is written a moment before the instant, and nothing is said before it."""

import asyncio
from datetime import datetime, timedelta
from uuid import UUID

import pytest

from rota_contracts.events import JobDue
from rota_ticker import lookahead
from tests.support.eventually import eventually
from tests.support.ticking import a_ticker, ledger, said
from tests.support.world import World

COMING = """
    UPDATE job_timers
    SET accounted_until = n.instant - interval '1 s', next_run_at = n.instant, wake_at = n.instant
    FROM (SELECT date_trunc('milliseconds', clock_timestamp()) + make_interval(secs => :seconds) AS instant) n
    WHERE job_id = ANY (:jobs) RETURNING n.instant
"""


@pytest.fixture(autouse=True)
def _long_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """Enough for a slow machine."""
    monkeypatch.setattr(lookahead, "AHEAD", timedelta(seconds=10))


async def coming(world: World, *jobs: UUID, seconds: float = 2) -> datetime:
    """Their timers go off so many seconds from now."""
    instant = (await world.sql(COMING, jobs=list(jobs), seconds=seconds))[0][0]
    assert isinstance(instant, datetime)
    return instant


async def test_what_comes_has_its_row_before_and_is_said_at_its_instant(world: World) -> None:
    ticker = await a_ticker(world)
    job = await world.a_job(await world.a_context())
    await ticker.plan()
    instant = await coming(world, job)
    firing = asyncio.create_task(ticker.fire_ahead())

    async def entered() -> bool:
        return bool(await world.value("SELECT count(*) FROM occurrences"))

    await eventually(entered, seconds=30, what="the row")
    assert await firing == 1
    assert await world.value("SELECT clock_timestamp() >= :instant", instant=instant)
    [row] = await world.sql("SELECT scheduled_for, state, dispatched_at, check_at FROM occurrences")
    assert (row.scheduled_for, row.state) == (instant, "dispatched")
    assert row.dispatched_at < instant < row.check_at
    [due] = await said(world)
    assert isinstance(due, JobDue)
    assert due.effective_at == instant
    assert await ticker.fire() == 0


async def test_only_the_next_instant_is_entered(world: World) -> None:
    ticker = await a_ticker(world)
    context = await world.a_context()
    sooner, later = await world.a_job(context), await world.a_job(context)
    await ticker.plan()
    await coming(world, sooner)
    await coming(world, later, seconds=5)
    assert await ticker.fire_ahead() == 1
    assert [row.job_id for row in await world.sql("SELECT job_id FROM occurrences")] == [sooner]


async def test_what_waits_for_another_run_or_for_room_is_left_to_its_instant(world: World) -> None:
    ticker = await a_ticker(world)
    full = await world.a_context(max_concurrent_runs=1)
    runs, waits = await world.a_job(full), await world.a_job(full)
    free = await world.a_context()
    goes, overlaps = await world.a_job(free), await world.a_job(free)
    await ticker.plan()
    await world.an_occurrence(runs)
    await world.an_occurrence(overlaps)
    await coming(world, waits, goes, overlaps)
    assert await ticker.fire_ahead() == 1
    assert len(await ledger(world, job_id=goes)) == 1
    assert await ticker.fire() == 2
    [waiting] = await ledger(world, job_id=waits)
    assert (waiting.state, waiting.disposition) == ("queued", None)
    assert [row.disposition for row in await ledger(world, job_id=overlaps)] == [None, "skipped"]
