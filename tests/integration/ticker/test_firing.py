"""Due instants become rows of the ledger, and runs."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from rota_contracts.events import JobClosed, JobDue
from rota_contracts.ids import run_id_for
from rota_ticker.handlers import Ticker
from tests.support.ticking import a_ticker, make_due, said, timer
from tests.support.world import World


async def test_a_due_job_is_entered_dispatched_and_advanced(world: World) -> None:
    ticker = await a_ticker(world)
    job = await world.a_job(await world.a_context(), skill_prompt="Look.")
    await ticker.plan()
    instant = await make_due(world, job)
    assert await ticker.fire() == 1
    [row] = await world.sql("SELECT * FROM occurrences")
    assert row.run_id == run_id_for(job, instant)
    assert (row.state, row.trigger, row.attempt, row.disposition) == ("dispatched", "schedule", 1, None)
    [due] = await said(world)
    assert isinstance(due, JobDue)
    assert (due.run_id, due.scheduled_for, due.job.skill_prompt) == (row.run_id, instant, "Look.")
    advanced = await timer(world, job)
    assert advanced is not None
    assert advanced > datetime.now(UTC)
    assert await ticker.fire() == 0


async def test_two_tickers_fire_an_occurrence_once(world: World) -> None:
    tickers = [await a_ticker(world), await a_ticker(world)]
    context = await world.a_context(max_concurrent_runs=1000)
    jobs = [await world.a_job(context) for _ in range(200)]
    await tickers[0].plan()
    for job in jobs:
        await make_due(world, job)

    async def work(ticker: Ticker) -> int:
        return sum([await ticker.fire(), await ticker.fire(), await ticker.admit_waiting()])

    await asyncio.gather(*(work(ticker) for ticker in tickers))
    assert await world.value("SELECT count(*) FROM occurrences") == 200
    assert len(await said(world)) == 200


async def test_after_a_downtime_the_latest_instant_runs_for_the_others(world: World) -> None:
    ticker = await a_ticker(world)
    job = await world.a_job(await world.a_context())
    await ticker.plan()
    first = await make_due(world, job, ago=timedelta(minutes=10))
    await ticker.fire()
    rows = await world.sql("SELECT * FROM occurrences ORDER BY scheduled_for")
    assert [row.disposition for row in rows] == ["coalesced", None]
    assert rows[0].scheduled_for == first
    assert rows[0].instants == 10
    assert rows[0].reason_code == "catch_up_latest"
    assert rows[0].coalesced_into == rows[1].run_id
    due = next(event for event in await said(world) if isinstance(event, JobDue))
    assert due.instants == 11
    assert due.first_instant == first
    closed = next(event for event in await said(world) if isinstance(event, JobClosed))
    assert closed.disposition == "coalesced"


async def test_instants_before_the_catch_up_window_are_missed_in_one_row(world: World) -> None:
    ticker = await a_ticker(world)
    job = await world.a_job(await world.a_context())
    await ticker.plan()
    first = await make_due(world, job, ago=timedelta(days=3))
    assert await ticker.fire() == 1
    assert await ticker.fire() == 0
    rows = await world.sql("SELECT * FROM occurrences ORDER BY scheduled_for")
    assert rows[0].scheduled_for == first
    assert [row.disposition for row in rows] == ["missed", "coalesced", None]
    minutes = int((rows[-1].scheduled_for - first).total_seconds() / 60) + 1
    assert sum(row.instants for row in rows) == minutes


async def test_while_a_run_is_open_the_next_occurrence_is_skipped(world: World) -> None:
    ticker = await a_ticker(world)
    job = await world.a_job(await world.a_context())
    await ticker.plan()
    await world.an_occurrence(job)
    await make_due(world, job)
    await ticker.fire()
    rows = await world.sql("SELECT * FROM occurrences WHERE disposition = 'skipped'")
    assert [row.reason for row in rows] == ["the previous run was still open"]


async def test_a_requested_run_is_dispatched_and_a_second_one_at_once_is_skipped(world: World) -> None:
    ticker = await a_ticker(world)
    context = await world.a_context()
    job = await world.a_job(context)
    await ticker.plan()
    ids = [uuid4(), uuid4()]
    for run_id in ids:
        await world.sql(
            "INSERT INTO run_requests (run_id, job_id, context_id, prompt_context)"
            " VALUES (:r, :j, :c, 'now')",
            r=run_id,
            j=job,
            c=context,
        )
    assert await ticker.take_requests() == 2
    assert await ticker.take_requests() == 0
    rows = {row.run_id: row for row in await world.sql("SELECT * FROM occurrences")}
    assert sorted(str(rows[run_id].disposition) for run_id in ids) == ["None", "skipped"]
    [due] = [event for event in await said(world) if isinstance(event, JobDue)]
    assert (due.trigger, due.prompt_context) == ("manual", "now")


async def test_what_is_queued_for_a_deleted_job_is_suppressed(world: World) -> None:
    ticker = await a_ticker(world)
    job = await world.a_job(await world.a_context())
    await world.an_occurrence(job, state="queued", dispatched_at=None)
    await world.sql("DELETE FROM scheduled_jobs WHERE id = :id", id=job)
    await ticker.admit_waiting()
    [row] = await world.sql("SELECT * FROM occurrences")
    assert (row.state, row.disposition, row.reason) == ("closed", "suppressed", "the job was deleted")
