"""Who is dispatched when, as PostgreSQL decides it."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from rota_contracts.events import JobClosed, JobPaused
from rota_ticker.handlers import Ticker
from tests.support.attempts import an_ended_attempt
from tests.support.completions import a_completion
from tests.support.eventually import eventually
from tests.support.ticking import a_request, a_ticker, dues, ledger, make_due, said
from tests.support.world import World

DAY = timedelta(days=1)


async def a_waiting_run(world: World, job_id: UUID, **columns: Any) -> UUID:
    return await world.an_occurrence(job_id, **({"state": "queued", "dispatched_at": None} | columns))


async def state(world: World, run_id: UUID) -> str:
    return str(await world.value("SELECT state FROM occurrences WHERE run_id = :r", r=run_id))


async def finish(world: World, ticker: Ticker, run_id: UUID, **columns: Any) -> None:
    """Tells the ticker that the attempt under way has ended."""
    [row] = await ledger(world, run_id=run_id)
    await ticker.on_completed(
        [
            a_completion(
                row.context_id,
                row.job_id,
                **({"run_id": run_id, "scheduled_for": row.scheduled_for, "attempt": row.attempt} | columns),
            )
        ]
    )


async def test_an_urgent_run_goes_first_and_of_equals_the_oldest(world: World) -> None:
    ticker = await a_ticker(world)
    context = await world.a_context(max_concurrent_runs=1)
    now = datetime.now(UTC)
    runs = {
        name: await a_waiting_run(
            world,
            await world.a_job(context),
            priority=priority,
            effective_at=now - timedelta(minutes=age),
        )
        for name, priority, age in [("young", 5, 1), ("old", 5, 9), ("urgent", 1, 0), ("least", 9, 99)]
    }
    await ticker.admit_waiting()
    order = []
    while going := await ledger(world, state="dispatched"):
        [one] = going
        order.append(next(name for name, run_id in runs.items() if run_id == one.run_id))
        await finish(world, ticker, one.run_id)  # which admits the next
    assert order == ["urgent", "old", "young", "least"]


async def test_a_crowd_of_one_tenant_does_not_delay_another_one(world: World) -> None:
    ticker = await a_ticker(world)
    crowded = await world.a_context(max_concurrent_runs=3)
    job = await world.a_job(crowded, overlap_policy="allow")
    await world.sql(
        "INSERT INTO occurrences (run_id, job_id, context_id, scheduled_for, effective_at, trigger, state,"
        " is_exclusive) SELECT gen_random_uuid(), :j, :c, now() - interval '1 h', now() - interval '1 h',"
        " 'manual', 'queued', false FROM generate_series(1, 2000)",
        j=job,
        c=crowded,
    )
    other = await a_waiting_run(world, await world.a_job(await world.a_context()), priority=9)
    assert await ticker.admit_waiting() == 4
    assert await state(world, other) == "dispatched"
    assert await ticker.admit_waiting() == 0


async def test_an_agent_has_no_more_runs_at_once_than_it_may(world: World) -> None:
    ticker = await a_ticker(world)
    context = await world.a_context(max_concurrent_runs=10)
    await world.an_agent(name="shared", max_concurrent_runs=1)
    await world.an_agent(name="own", max_concurrent_runs=1)
    await world.an_agent(name="own", context_id=context, max_concurrent_runs=2)
    await world.an_agent(name="free", max_concurrent_runs=1)
    await world.an_agent(name="free", context_id=context)
    for name in ("shared", "own", "free"):
        for _ in range(4):
            await a_waiting_run(world, await world.a_job(context, agent_name=name))
    while await ticker.admit_waiting():
        pass
    rows = await world.sql(
        "SELECT j.agent_name, count(*) AS runs FROM occurrences o JOIN scheduled_jobs j ON j.id = o.job_id"
        " WHERE o.state = 'dispatched' GROUP BY j.agent_name"
    )
    assert {row.agent_name: row.runs for row in rows} == {"shared": 1, "own": 2, "free": 4}


async def test_runs_of_a_job_that_exclude_each_other_wait_even_for_a_retry_in_backoff(world: World) -> None:
    ticker = await a_ticker(world)
    job = await world.a_job(
        await world.a_context(), overlap_policy="buffer_one", max_retries=1, retry_backoff_seconds=600
    )
    first = await world.an_occurrence(job)
    second = await a_waiting_run(world, job, priority=1)
    await finish(world, ticker, first, status="error", final=False, error_kind="model_error")
    assert await ticker.admit_waiting() == 0
    assert (await state(world, first), await state(world, second)) == ("queued", "queued")
    await world.sql("UPDATE occurrences SET not_before = now() WHERE run_id = :r", r=first)
    assert await ticker.admit_waiting() == 1
    assert await state(world, first) == "dispatched"
    await finish(world, ticker, first)
    assert await state(world, second) == "dispatched"


async def test_what_becomes_due_during_a_backoff_may_wait_behind_it(world: World) -> None:
    ticker = await a_ticker(world)
    job = await world.a_job(await world.a_context(), overlap_policy="buffer_one")
    await ticker.plan()
    await a_waiting_run(world, job, attempt=2, not_before=datetime.now(UTC) + timedelta(hours=1))
    await make_due(world, job)
    await ticker.fire()
    assert [row.state for row in await ledger(world, job_id=job, attempt=1)] == ["queued"]


async def test_a_run_that_waits_longer_than_its_job_allows_is_missed(world: World) -> None:
    ticker = await a_ticker(world)
    context = await world.a_context(max_concurrent_runs=1)
    await world.an_occurrence(await world.a_job(context))
    job = await world.a_job(context, queue_ttl_seconds=60)
    await ticker.plan()
    await make_due(world, job)
    await ticker.fire()
    [row] = await ledger(world, job_id=job)
    assert row.expires_at - row.created_at >= timedelta(seconds=59)
    assert await ticker.admit_waiting() == 0
    await world.sql("UPDATE occurrences SET expires_at = now() WHERE job_id = :j", j=job)
    assert await ticker.admit_waiting() == 1
    [row] = await ledger(world, job_id=job)
    assert (row.state, row.disposition, row.reason_code) == ("closed", "missed", "queue_ttl")
    closed = [event for event in await said(world) if isinstance(event, JobClosed)]
    assert [(event.run_id, event.reason_code) for event in closed] == [(row.run_id, "queue_ttl")]


async def cancel(world: World, run_id: UUID) -> None:
    await world.sql(
        "INSERT INTO run_cancellations (run_id, context_id, job_id, scheduled_for, reason)"
        " SELECT run_id, context_id, job_id, scheduled_for, 'cancelled by ada' FROM occurrences"
        " WHERE run_id = :r",
        r=run_id,
    )


async def test_a_cancelled_run_that_waits_is_skipped_and_one_that_runs_is_asked_to_stop_once(
    world: World,
) -> None:
    ticker = await a_ticker(world)
    hints: list[str] = []

    async def hear(subject: str, _payload: bytes) -> None:
        hints.append(subject)

    await (await world.bus("executor")).listen("run.stopping.*.*", hear)
    context = await world.a_context()
    job = await world.a_job(context)
    await ticker.plan()
    running = await world.an_occurrence(job)
    waiting = await a_waiting_run(world, job)
    await cancel(world, running)
    await cancel(world, waiting)
    assert await ticker.take_cancellations() == 2
    [row] = await ledger(world, run_id=waiting)
    assert (row.disposition, row.reason_code, row.reason) == ("skipped", "cancelled", "cancelled by ada")
    [row] = await ledger(world, run_id=running)
    assert (row.state, row.cancel_reason) == ("dispatched", "cancelled by ada")
    marked = row.cancelled_at

    async def heard() -> list[str]:
        return hints

    assert await eventually(heard) == [f"run.stopping.{context}.{running}"]
    ticker._cancellations_horizon = "0"
    assert await ticker.take_cancellations() == 0
    assert [row.cancelled_at for row in await ledger(world, run_id=running)] == [marked]
    closed = [event for event in await said(world) if isinstance(event, JobClosed)]
    assert [event.run_id for event in closed] == [waiting]


async def test_a_newer_run_takes_the_place_of_what_waits_and_stops_what_runs(world: World) -> None:
    ticker = await a_ticker(world)
    job = await world.a_job(await world.a_context(), overlap_policy="cancel_other")
    await ticker.plan()
    running = await world.an_occurrence(job)
    waiting = await a_waiting_run(world, job)
    instant = await make_due(world, job)
    await ticker.fire()
    [row] = await ledger(world, run_id=waiting)
    assert (row.disposition, row.reason_code) == ("skipped", "replaced")
    [row] = await ledger(world, run_id=running)
    assert row.cancelled_at is not None
    [newer] = await ledger(world, job_id=job, scheduled_for=instant)
    assert newer.state == "queued"
    await finish(world, ticker, running, status="error", error_kind="cancelled", error_message="replaced")
    assert await state(world, newer.run_id) == "dispatched"


@pytest.mark.parametrize("by", ["a person", "a newer run"])
async def test_what_ran_before_and_waits_to_run_again_is_ended_by_an_executor(world: World, by: str) -> None:
    """It goes out at once, though the context is full, and ends as a run: with its result."""
    ticker = await a_ticker(world)
    context = await world.a_context(max_concurrent_runs=1)
    job = await world.a_job(context, overlap_policy="cancel_other")
    await ticker.plan()
    await world.an_occurrence(await world.a_job(context))
    retry = await a_waiting_run(world, job, attempt=2, failures=1, not_before=datetime.now(UTC) + DAY)
    if by == "a person":
        await cancel(world, retry)
        assert await ticker.take_cancellations() == 1
        assert await ticker.take_cancellations() == 0
        reason = "cancelled by ada"
    else:
        await make_due(world, job)
        await ticker.fire()
        reason = "a newer run of the job takes its place"
    [row] = await ledger(world, run_id=retry)
    assert (row.state, row.attempt, row.cancel_reason) == ("dispatched", 2, reason)
    assert [(event.run_id, event.attempt) for event in await dues(world)] == [(retry, 2)]
    await finish(world, ticker, retry, status="error", error_kind="cancelled", error_message=reason)
    [row] = await ledger(world, run_id=retry)
    assert (row.disposition, row.reason_code, row.reason) == ("ran", "cancelled", f"cancelled: {reason}")
    assert not [event for event in await said(world) if isinstance(event, JobClosed)]


async def test_a_run_that_fails_while_it_is_asked_to_stop_waits_for_no_backoff(world: World) -> None:
    ticker = await a_ticker(world)
    job = await world.a_job(await world.a_context(), max_retries=1, retry_backoff_seconds=3600)
    run = await world.an_occurrence(job)
    await cancel(world, run)
    assert await ticker.take_cancellations() == 1
    await finish(world, ticker, run, status="error", final=False, error_kind="model_error")
    assert await ticker.admit_waiting() == 1
    [row] = await ledger(world, run_id=run)
    assert (row.state, row.attempt, row.cancel_reason) == ("dispatched", 2, "cancelled by ada")


async def test_a_job_that_fails_too_often_is_paused_with_the_reason_until_somebody_resumes_it(
    world: World,
) -> None:
    ticker = await a_ticker(world)
    context = await world.a_context()
    job = await world.a_job(context, auto_pause_after=2, name="Morning check")
    await ticker.plan()
    for kind in ("cancelled", "timeout", "model_error"):
        run = await world.an_occurrence(job)
        await finish(world, ticker, run, status="error", error_kind=kind, error_message="no")
    reason = "paused after 2 failures in a row; the last one: model_error: no"
    [timer] = await world.sql("SELECT * FROM job_timers")
    assert (timer.next_run_at, timer.wake_at, timer.pause_reason) == (None, None, reason)
    [paused] = [event for event in await said(world) if isinstance(event, JobPaused)]
    assert (paused.job_name, paused.reason, paused.failures, paused.run_id) == (
        "Morning check",
        reason,
        2,
        run,
    )
    asked = await a_request(world, context, job)
    await ticker.take_requests()
    [row] = await ledger(world, run_id=asked)
    assert (row.disposition, row.reason_code) == ("suppressed", "paused")
    await world.sql("UPDATE job_timers SET accounted_until = accounted_until - interval '10 min'")
    await world.sql("UPDATE scheduled_jobs SET resumed_at = clock_timestamp(), resume_catch_up = 'none'")
    assert await ticker.plan() == 1
    [timer] = await world.sql("SELECT * FROM job_timers")
    assert (timer.paused_at, timer.pause_reason, timer.failures_in_a_row) == (None, None, 0)
    assert timer.next_run_at > datetime.now(UTC) - timedelta(minutes=1)
    [row] = await ledger(world, trigger="schedule")
    assert (row.disposition, row.reason_code, row.instants in {9, 10, 11}) == ("suppressed", "paused", True)


async def test_no_context_ever_has_more_runs_than_it_may_whoever_admits_and_completes(world: World) -> None:
    tickers = [await a_ticker(world) for _ in range(3)]
    context = await world.a_context(max_concurrent_runs=4)
    job = await world.a_job(context, overlap_policy="allow")
    for _ in range(60):
        await a_waiting_run(world, job, is_exclusive=False)
    most = 0

    async def work(ticker: Ticker) -> None:
        nonlocal most
        while True:
            await ticker.admit_waiting()
            rows = await ledger(world, state="dispatched")
            most = max(most, len(rows))
            if not rows and not await ledger(world, state="queued"):
                return
            await ticker.on_completed(
                [
                    a_completion(context, job, run_id=row.run_id, scheduled_for=row.scheduled_for)
                    for row in rows[:2]
                ]
            )

    await asyncio.gather(*(work(ticker) for ticker in tickers))
    assert most == 4
    assert len(await ledger(world, disposition="ran")) == 60


@pytest.mark.parametrize("is_known", [True, False])
async def test_what_had_begun_before_its_job_was_deleted_is_ended_by_an_executor(
    world: World, *, is_known: bool
) -> None:
    """As a run, with its result; an executor that vanished may have left nothing to tell of the job."""
    ticker = await a_ticker(world)
    context = await world.a_context()
    job = await world.a_job(context, max_retries=1)
    retry = await a_waiting_run(world, job, attempt=2, failures=1)
    fresh = await a_waiting_run(world, await world.a_job(context))
    if is_known:
        first = a_completion(context, job, run_id=retry, status="error", final=False, error_kind="tool_error")
        await an_ended_attempt(world, first)
    await world.sql("DELETE FROM scheduled_jobs")
    await ticker.admit_waiting()
    reason = "the job was deleted"
    [row] = await ledger(world, run_id=retry)
    assert (row.state, row.attempt, row.cancel_reason) == ("dispatched", 2, reason)
    [row] = await ledger(world, run_id=fresh)
    assert (row.disposition, row.reason_code, row.reason) == ("suppressed", "job_deleted", reason)
    [due] = await dues(world)
    known = (
        ("Morning check", "orchestrator", "Look.", "* * * * *") if is_known else ("a deleted job", "", "", "")
    )
    told = (due.job.name, due.job.agent_name, due.job.skill_prompt, due.job.cron_expression)
    assert (due.run_id, due.attempt, told) == (retry, 2, known)
    await finish(world, ticker, retry, status="error", error_kind="cancelled", error_message=reason)
    [row] = await ledger(world, run_id=retry)
    assert (row.disposition, row.reason_code, row.reason) == ("ran", "cancelled", f"cancelled: {reason}")
    assert [event.run_id for event in await said(world) if isinstance(event, JobClosed)] == [fresh]


@pytest.mark.parametrize("state_before", ["queued", "dispatched"])
async def test_the_runs_of_a_deleted_job_come_to_an_end(world: World, state_before: str) -> None:
    ticker = await a_ticker(world)
    job = await world.a_job(await world.a_context())
    run = await world.an_occurrence(job, state=state_before, check_at=datetime.now(UTC))
    await world.sql("DELETE FROM scheduled_jobs")
    await ticker.admit_waiting()
    await ticker.reconcile()
    [row] = await ledger(world, run_id=run)
    assert (row.disposition, row.reason_code) == ("suppressed", "job_deleted")
