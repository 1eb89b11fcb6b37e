"""Several tickers at once: nobody waits in a circle, and nothing goes beyond its limits."""

import asyncio
import functools
import random
from collections.abc import Awaitable, Callable
from uuid import UUID

from rota_contracts.events import JobCompleted
from rota_store import StatementError
from rota_ticker.handlers import Ticker
from tests.support.completions import a_completion
from tests.support.eventually import eventually
from tests.support.ticking import a_request, a_ticker
from tests.support.world import World

ENOUGH = 50
ROUNDS = 50


async def endings(world: World) -> list[JobCompleted]:
    """How some of the runs that are dispatched by now ended: well, badly, or to be tried again.

    Whoever hears of an attempt hears the same.
    """
    rows = await world.sql("SELECT * FROM occurrences WHERE state = 'dispatched' ORDER BY random() LIMIT 20")
    events = []
    for row in rows:
        attempt = row.run_id.int + row.attempt
        status, final = [("success", True), ("error", True), ("error", False)][attempt % 3]
        error = {"error_kind": "internal", "error_message": "no"} if status == "error" else {}
        events.append(
            a_completion(
                row.context_id,
                row.job_id,
                run_id=row.run_id,
                scheduled_for=row.scheduled_for,
                attempt=row.attempt,
                status=status,
                final=final,
                **error,
            )
        )
    return events


async def overfull(world: World) -> list[object]:
    """Contexts with more runs dispatched than they may have, jobs with two that exclude each other.

    A retry that was cancelled takes no place: it is only to be ended.
    """
    contexts = await world.sql(
        "SELECT c.id, count(*) FROM contexts c JOIN occurrences o ON o.context_id = c.id"
        " WHERE o.state = 'dispatched' AND NOT (o.attempt > 1 AND o.cancelled_at IS NOT NULL)"
        " GROUP BY c.id HAVING count(*) > c.max_concurrent_runs"
    )
    jobs = await world.sql(
        "SELECT job_id, count(*) FROM occurrences WHERE state = 'dispatched' AND is_exclusive"
        " GROUP BY job_id HAVING count(*) > 1"
    )
    return [*contexts, *jobs]


async def busy_jobs(world: World, chance: random.Random) -> list[tuple[UUID, UUID]]:
    """Jobs of every overlap policy, due each second, in contexts with much and little room."""
    jobs = []
    for room in (1, 3, 10, 30):
        context = await world.a_context(max_concurrent_runs=room)
        for policy in ("skip", "buffer_one", "allow", "cancel_other", "cancel_other"):
            job = await world.a_job(
                context,
                cron_expression="* * * * * *",
                seconds_field=True,
                overlap_policy=policy,
                max_retries=3,
                retry_backoff_seconds=1,
                priority=chance.randint(1, 9),
            )
            jobs.append((context, job))
    return jobs


async def provoke(world: World, wanted: list[tuple[UUID, UUID]]) -> None:
    """Asks for runs, cancels some, and has retries wait no longer."""
    for context, job in wanted:
        await a_request(world, context, job)
    await world.sql(
        "INSERT INTO run_cancellations (run_id, context_id, job_id, scheduled_for, reason)"
        " SELECT run_id, context_id, job_id, scheduled_for, 'not wanted' FROM occurrences"
        " WHERE closed_at IS NULL ORDER BY random() LIMIT 4 ON CONFLICT DO NOTHING"
    )
    await world.sql(
        "UPDATE occurrences SET not_before = now() WHERE run_id IN (SELECT run_id FROM occurrences"
        " WHERE state = 'queued' AND attempt > 1 FOR UPDATE SKIP LOCKED)"
    )


async def test_tickers_never_wait_for_each_other_in_a_circle_nor_admit_too_much(world: World) -> None:
    """Fire, complete, retry, request, replace, cancel and admit, all at once, on three tickers."""
    chance = random.Random(5)
    tickers = [await a_ticker(world) for _ in range(3)]
    jobs = await busy_jobs(world, chance)
    await tickers[0].plan()
    failures: list[Exception] = []
    too_much: list[object] = []
    over = asyncio.Event()

    async def complete(ticker: Ticker) -> None:
        await ticker.on_completed(await endings(world))

    async def watch() -> None:
        too_much.extend(await overfull(world))

    async def repeated(work: Callable[[], Awaitable[object]]) -> None:
        while not over.is_set():
            try:
                await work()
            except StatementError as error:  # a deadlock is one
                failures.append(error)
            await asyncio.sleep(0)

    works: list[Callable[[], Awaitable[object]]] = [watch]
    for one in tickers:
        works += [one.fire, one.take_requests, one.take_cancellations, one.admit_waiting, one.reconcile]
        works.append(one.plan)
        works.append(functools.partial(complete, one))
    running = [asyncio.create_task(repeated(work)) for work in works]
    for _ in range(ROUNDS):
        await provoke(world, chance.sample(jobs, 10))

    async def enough() -> bool:
        await provoke(world, chance.sample(jobs, 10))
        return bool(await world.value("SELECT count(*) FROM occurrences WHERE disposition = 'ran'") > ENOUGH)

    await eventually(enough, seconds=60, what="runs that ended")
    over.set()
    await asyncio.gather(*running)
    assert failures == []
    assert too_much == []


async def test_two_tickers_that_plan_the_same_change_neither_run_it_early_nor_wake_what_is_paused(
    world: World,
) -> None:
    tickers = [await a_ticker(world) for _ in range(3)]
    context = await world.a_context(max_concurrent_runs=1000)
    jobs = [await world.a_job(context, cron_expression="0 0 1 1 *") for _ in range(60)]
    await tickers[0].plan()
    for minute in range(5):
        await world.sql("UPDATE scheduled_jobs SET cron_expression = :c", c=f"{minute} 0 1 1 *")
        await world.sql("UPDATE scheduled_jobs SET is_enabled = false WHERE id = ANY (:ids)", ids=jobs[:20])
        await asyncio.gather(*(ticker.plan() for ticker in tickers))
        assert await world.sql("SELECT * FROM occurrences") == []
        assert await world.value("SELECT count(*) FROM job_timers WHERE next_run_at IS NOT NULL") == 40
        await world.sql("UPDATE scheduled_jobs SET is_enabled = true")
        await asyncio.gather(*(ticker.plan() for ticker in tickers))
        assert await world.value("SELECT count(*) FROM job_timers WHERE next_run_at IS NOT NULL") == 60


async def test_many_jobs_created_at_once_are_planned_by_all_tickers_without_a_deadlock(world: World) -> None:
    tickers = [await a_ticker(world, batch_size=50) for _ in range(3)]
    context = await world.a_context()
    await world.sql(
        "INSERT INTO scheduled_jobs (context_id, name, cron_expression, skill_prompt)"
        " SELECT :c, 'job ' || n, '0 0 1 1 *', 'Do it.' FROM generate_series(1, 1000) n",
        c=context,
    )

    async def work(ticker: Ticker) -> None:
        while await ticker.plan():
            pass

    await asyncio.gather(*(work(ticker) for ticker in tickers))
    assert await world.value("SELECT count(*) FROM job_timers WHERE next_run_at IS NOT NULL") == 1000


async def test_a_cancellation_that_meets_the_end_of_the_run_holds_nobody_up(world: World) -> None:
    tickers = [await a_ticker(world) for _ in range(2)]
    context = await world.a_context(max_concurrent_runs=1000)
    jobs = [await world.a_job(context, overlap_policy="allow") for _ in range(10)]
    for _ in range(10):
        for job in jobs:
            await world.an_occurrence(job)
        rows = await world.sql("SELECT * FROM occurrences WHERE state = 'dispatched'")
        events = [
            a_completion(row.context_id, row.job_id, run_id=row.run_id, scheduled_for=row.scheduled_for)
            for row in rows
        ]
        await tickers[0].plan()
        await tickers[1].plan()
        await world.sql(
            "INSERT INTO run_cancellations (run_id, context_id, job_id, scheduled_for)"
            " SELECT run_id, context_id, job_id, scheduled_for FROM occurrences WHERE state = 'dispatched'"
        )
        async with asyncio.timeout(0.9):  # PostgreSQL looks for deadlocks after a second
            await asyncio.gather(tickers[0].on_completed(events), tickers[1].take_cancellations())
    assert await world.value("SELECT count(*) FROM occurrences WHERE disposition = 'ran'") == 100


async def test_what_a_limit_of_an_agent_holds_back_leaves_its_place_to_others(world: World) -> None:
    """Without waiting for the poll: the ticker wakes itself."""
    ticker = await a_ticker(world)
    context = await world.a_context(max_concurrent_runs=3)
    await world.an_agent(name="busy", context_id=context, max_concurrent_runs=1)
    first = await world.an_occurrence(await world.a_job(context))
    for _ in range(3):
        job = await world.a_job(context, agent_name="busy")
        await world.an_occurrence(job, state="queued", dispatched_at=None, priority=1)
    free = await world.an_occurrence(await world.a_job(context), state="queued", dispatched_at=None)
    row = (await world.sql("SELECT * FROM occurrences WHERE run_id = :r", r=first))[0]
    await ticker.on_completed(
        [a_completion(context, row.job_id, run_id=first, scheduled_for=row.scheduled_for)]
    )
    state = await world.value("SELECT state FROM occurrences WHERE run_id = :r", r=free)
    assert state == "dispatched" or ticker.wake.is_set()
    await ticker.admit_waiting()
    assert await world.value("SELECT state FROM occurrences WHERE run_id = :r", r=free) == "dispatched"
