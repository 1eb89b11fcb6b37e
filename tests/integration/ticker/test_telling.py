"""What is committed is said, also when nobody listened at first."""

from datetime import datetime, timedelta

import pytest

from rota_contracts.events import JobClosed
from tests.support.ticking import a_ticker, make_due, said
from tests.support.world import World

KEPT = "SELECT count(*) FROM unpublished_events"


async def closings(world: World) -> list[JobClosed]:
    return [event for event in await said(world) if isinstance(event, JobClosed)]


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody else says at once what nobody said."""
    monkeypatch.setattr("rota_ticker.handlers.UNPUBLISHED_AFTER", timedelta(0))


async def test_a_closing_that_nats_did_not_take_is_said_by_another_ticker(world: World) -> None:
    deaf, other = await a_ticker(world), await a_ticker(world)
    job = await world.a_job(await world.a_context())
    await deaf.plan()
    await make_due(world, job, ago=timedelta(minutes=10))
    await deaf._bus.close()
    await deaf.fire()
    assert await closings(world) == []
    assert await world.value(KEPT) == 1
    await deaf.reconcile()
    assert await world.value(KEPT) == 1
    await other.reconcile()
    [closed] = await closings(world)
    assert (closed.job_id, closed.disposition, closed.instants) == (job, "coalesced", 10)
    assert await world.value(KEPT) == 0


async def test_what_was_said_is_not_kept(world: World) -> None:
    ticker = await a_ticker(world)
    job = await world.a_job(await world.a_context())
    await ticker.plan()
    await make_due(world, job, ago=timedelta(minutes=10))
    await ticker.fire()
    assert len(await closings(world)) == 1
    assert await world.value(KEPT) == 0


async def test_what_a_newer_version_kept_holds_up_nothing(world: World) -> None:
    ticker = await a_ticker(world)
    await world.sql(
        "INSERT INTO unpublished_events (types, payloads) VALUES ('{rota.job.new.v9}', '{\"{}\"}')"
    )
    job = await world.a_job(await world.a_context())
    await ticker.plan()
    await make_due(world, job, ago=timedelta(minutes=10))
    await ticker._bus.close()
    await ticker.fire()
    assert await world.value(KEPT) == 2
    await (await a_ticker(world)).reconcile()
    assert len(await closings(world)) == 1
    assert await world.value(KEPT) == 0


async def test_a_crowd_due_at_one_instant_does_not_go_before_the_one_job_of_another(world: World) -> None:
    """Of 900 jobs of one context and one of another, due together, a hundred are claimed first."""
    ticker = await a_ticker(world, batch_size=100)
    crowd = await world.a_context(max_concurrent_runs=1000)
    await world.sql(
        "INSERT INTO scheduled_jobs (context_id, name, cron_expression, agent_name, skill_prompt)"
        " SELECT :crowd, 'job ' || n, '0 0 1 1 *', 'tester', 'Do it.' FROM generate_series(1, 900) n",
        crowd=crowd,
    )
    few = [await world.a_job(await world.a_context()) for _ in range(5)]
    while await ticker.plan():
        pass
    instant: datetime = await world.value("SELECT date_trunc('second', now())")
    await world.sql(
        "UPDATE job_timers SET accounted_until = :before, next_run_at = :at, wake_at = :at",
        before=instant - timedelta(seconds=1),
        at=instant,
    )
    assert await ticker.fire() == 100
    entered = {row.job_id for row in await world.sql("SELECT job_id FROM occurrences")}
    assert entered >= set(few)
