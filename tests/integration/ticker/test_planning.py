"""New and changed definitions, planned by the ticker's own role on real servers."""

from datetime import UTC, datetime

import pytest

from tests.support.ticking import a_ticker, make_due, timer
from tests.support.world import World


async def test_a_new_job_is_planned_for_its_next_instant(world: World) -> None:
    ticker = await a_ticker(world)
    job = await world.a_job(await world.a_context(), cron_expression="30 7 * * *", timezone="Europe/Berlin")
    assert await ticker.plan() == 1
    planned = await timer(world, job)
    assert planned is not None
    assert planned > datetime.now(UTC)
    assert await ticker.plan() == 0


async def test_more_new_jobs_than_a_batch_are_planned_batch_by_batch(world: World) -> None:
    ticker = await a_ticker(world, batch_size=3)
    context = await world.a_context()
    for _ in range(7):
        await world.a_job(context)
    assert [await ticker.plan() for _ in range(4)] == [3, 3, 1, 0]


async def test_a_changed_job_is_planned_anew_and_a_paused_one_has_no_next_run(world: World) -> None:
    ticker = await a_ticker(world)
    job = await world.a_job(await world.a_context())
    await ticker.plan()
    await world.sql("UPDATE scheduled_jobs SET cron_expression = '0 0 1 1 *' WHERE id = :id", id=job)
    assert await ticker.plan() == 1
    planned = await timer(world, job)
    assert planned is not None
    assert (planned.month, planned.day) == (1, 1)
    await world.sql("UPDATE scheduled_jobs SET is_enabled = false WHERE id = :id", id=job)
    assert await ticker.plan() == 1
    assert await timer(world, job) is None


async def test_an_impossible_schedule_puts_that_job_in_error_and_no_other(world: World) -> None:
    ticker = await a_ticker(world)
    context = await world.a_context()
    bad = await world.a_job(context, cron_expression="0 0 31 2 *")
    worse = await world.a_job(context, timezone="Mars/Olympus")
    good = await world.a_job(context)
    assert await ticker.plan() == 3
    errors = {row.job_id: row.error for row in await world.sql("SELECT * FROM job_timers")}
    assert "never comes" in errors[bad]
    assert "IANA" in errors[worse]
    assert errors[good] is None
    # Bad already while its timer runs: written past every check.
    await world.sql("UPDATE job_timers SET next_run_at = now(), wake_at = now() WHERE job_id = :id", id=bad)
    await make_due(world, good)
    assert sum([await ticker.fire(), await ticker.fire()]) == 2
    assert await timer(world, bad) is None
    assert await world.value("SELECT job_id FROM occurrences") == good


async def test_the_ticker_cannot_write_what_belongs_to_another(world: World) -> None:
    database = world.database("ticker")
    for statement in (
        "UPDATE scheduled_jobs SET name = 'x'",
        "DELETE FROM run_attempts",
        "INSERT INTO notifications (context_id, run_id, category, title) VALUES (NULL, NULL, 'error', '')",
        "DELETE FROM occurrences",
    ):
        with pytest.raises(Exception, match="permission denied"):
            await database.execute(statement)
