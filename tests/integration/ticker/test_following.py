"""What the ticker does with what it dispatched: ends, retries, losses, silence."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from rota_chassis.errors import RetryableError
from rota_contracts.codec import encode_payload
from rota_contracts.events import JobDue
from rota_ticker.handlers import Ticker
from rota_ticker.repository.glance import Glance
from rota_ticker.service import keep_time
from tests.support.attempts import an_ended_attempt, an_open_attempt, an_unreadable_outcome
from tests.support.completions import a_completion
from tests.support.eventually import eventually
from tests.support.ticking import a_request, a_ticker, completed, dues, ledger, make_due, said
from tests.support.world import World


async def a_dispatched_run(world: World, **columns: Any) -> tuple[Ticker, JobDue]:
    """A job that has just fired, and its event."""
    ticker = await a_ticker(world)
    job = await world.a_job(await world.a_context(), **columns)
    await ticker.plan()
    await make_due(world, job)
    await ticker.fire()
    [due] = await dues(world)
    return ticker, due


async def test_what_was_committed_and_not_published_is_published_later(world: World) -> None:
    ticker = await a_ticker(world)
    job = await world.a_job(await world.a_context())
    run = await world.an_occurrence(job, check_at=datetime.now(UTC))
    assert await ticker.reconcile() == 1
    assert await world.value("SELECT state FROM occurrences WHERE run_id = :r", r=run) == "dispatched"
    assert [event.run_id for event in await said(world)] == [run]
    assert await ticker.reconcile() == 0


async def test_a_run_that_ended_closes_its_occurrence_once(world: World) -> None:
    ticker, due = await a_dispatched_run(world)
    await ticker.on_completed([completed(due)])
    late = completed(due, status="error", error_kind="internal", error_message="late")
    await ticker.on_completed([late, completed(due)])
    [row] = await ledger(world)
    assert (row.state, row.disposition, row.reason_code) == ("closed", "ran", "success")


async def test_a_failed_attempt_that_may_be_retried_is_dispatched_again_after_the_backoff(
    world: World,
) -> None:
    ticker, due = await a_dispatched_run(world, max_retries=1, retry_backoff_seconds=60)
    failed = completed(due, status="error", final=False, error_kind="model_error", error_message="no")
    await ticker.on_completed([failed])
    await ticker.on_completed([failed])  # delivered twice
    [row] = await world.sql("SELECT * FROM occurrences")
    assert (row.state, row.attempt, row.failures) == ("queued", 2, 1)
    assert timedelta(seconds=40) < row.not_before - datetime.now(UTC) <= timedelta(seconds=60)
    assert await ticker.admit_waiting() == 0
    await world.sql("UPDATE occurrences SET not_before = now()")
    assert await ticker.admit_waiting() == 1
    again = (await said(world))[-1]
    assert (again.run_id, again.attempt, again.failures) == (due.run_id, 2, 1)


async def test_a_retry_waits_as_long_as_the_other_side_asked_for(world: World) -> None:
    ticker, due = await a_dispatched_run(world, max_retries=1, retry_backoff_seconds=60)
    refused = {"error_kind": "model_error", "error_message": "too many", "retry_after_seconds": 3600}
    await ticker.on_completed([completed(due, status="error", final=False, **refused)])
    [row] = await world.sql("SELECT not_before FROM occurrences")
    assert timedelta(minutes=59) < row.not_before - datetime.now(UTC) <= timedelta(minutes=60)


async def test_a_retry_is_dispatched_when_its_backoff_is_over_and_nothing_spins_until_then(
    world: World,
) -> None:
    ticker = await a_ticker(world)
    await world.an_occurrence(
        await world.a_job(await world.a_context(), cron_expression="0 0 1 1 *"),
        state="queued",
        dispatched_at=None,
        attempt=2,
        not_before=datetime.now(UTC) + timedelta(seconds=1),
    )
    rounds = 0

    class Counted(Ticker):
        async def look(self) -> Glance:
            nonlocal rounds
            rounds += 1
            return await super().look()

    counted = Counted(ticker._database, ticker._bus)
    stopping = asyncio.Event()
    clock = asyncio.create_task(keep_time(counted, 60, stopping))

    async def dispatched() -> bool:
        return bool(await world.value("SELECT state = 'dispatched' FROM occurrences"))

    await eventually(dispatched, seconds=30, what="the retry, long before the next poll")
    stopping.set()
    await clock
    assert rounds < 20


@pytest.mark.parametrize(
    ("state", "lease", "losses"),
    [("running", "-1 ms", 1), ("released", "-1 ms", 0), ("released", "20 s", 0)],
)
async def test_a_run_whose_executor_vanished_or_hands_it_over_is_dispatched_again(
    world: World, state: str, lease: str, losses: int
) -> None:
    ticker = await a_ticker(world)
    context = await world.a_context()
    run = await world.an_occurrence(await world.a_job(context))
    await an_open_attempt(world, "gone", state=state, lease=lease)
    assert await ticker.reconcile() == 1
    assert await ticker.reconcile() == 0
    assert await ticker.admit_waiting() == 1
    [row] = await world.sql("SELECT * FROM occurrences WHERE run_id = :r", r=run)
    assert (row.state, row.attempt, row.losses) == ("dispatched", 2, losses)


async def test_a_dispatch_that_nobody_began_is_said_again_and_stored_once(world: World) -> None:
    ticker, _ = await a_dispatched_run(world)
    await world.sql("UPDATE occurrences SET check_at = now()")
    assert await ticker.reconcile() == 1
    assert await ticker.reconcile() == 0
    assert len(await said(world)) == 1


async def test_an_outcome_whose_news_was_lost_still_closes_the_occurrence(world: World) -> None:
    ticker, due = await a_dispatched_run(world)
    await world.sql(
        "INSERT INTO run_attempts (run_id, attempt, context_id, job_id, executor, state, session_id,"
        " ended_at, outcome) SELECT run_id, 1, context_id, job_id, 'e', 'ended', gen_random_uuid(),"
        " now() - interval '1 minute', CAST(:outcome AS jsonb) FROM occurrences",
        outcome=encode_payload(completed(due)).decode(),
    )
    assert await ticker.reconcile() == 1
    assert await world.value("SELECT disposition FROM occurrences") == "ran"


async def test_an_outcome_that_cannot_be_read_does_not_hold_up_the_others(world: World) -> None:
    ticker = await a_ticker(world)
    context = await world.a_context()
    runs = []
    for _ in range(2):
        job = await world.a_job(context)
        run_id = await world.an_occurrence(job)
        instant = await world.value("SELECT scheduled_for FROM occurrences WHERE run_id = :r", r=run_id)
        runs.append(a_completion(context, job, run_id=run_id, scheduled_for=instant))
    await an_unreadable_outcome(world, runs[0])
    await an_ended_attempt(world, runs[1])
    assert await ticker.reconcile() == 1
    closed = await world.sql("SELECT run_id FROM occurrences WHERE closed_at IS NOT NULL")
    assert [row.run_id for row in closed] == [runs[1].run_id]


async def test_what_nats_did_not_take_after_the_commit_is_said_again_at_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticker = await a_ticker(world)
    await world.a_job(await world.a_context())
    await ticker.plan()
    job = await world.value("SELECT job_id FROM job_timers")
    await make_due(world, job)

    async def refuse(_events: object) -> None:
        raise RetryableError("NATS is away")

    with monkeypatch.context() as broken:
        broken.setattr(ticker._bus, "publish", refuse)
        assert await ticker.fire() == 1
    assert await said(world) == []
    assert await ticker.reconcile() == 1
    [due] = await said(world)
    [row] = await ledger(world)
    assert (due.run_id, due.attempt, row.state) == (row.run_id, 1, "dispatched")


async def test_what_waits_goes_on_as_soon_as_it_would_have_when_the_clock_is_set_back(world: World) -> None:
    """Everything was written by a clock an hour ahead: what is left of a wait is what was left of it then."""
    ahead, minute = timedelta(hours=1), timedelta(minutes=1)
    now = await world.value("SELECT clock_timestamp()")
    then = now + ahead
    context = await world.a_context(max_concurrent_runs=1)
    running = await world.an_occurrence(
        await world.a_job(context), check_at=then + minute, dispatched_at=then
    )
    job = await world.a_job(context, overlap_policy="allow")
    waiting = {"state": "queued", "dispatched_at": None, "is_exclusive": False, "created_at": then}
    fresh = await world.an_occurrence(job, **waiting, not_before=then, expires_at=then + 10 * minute)
    retry = await world.an_occurrence(
        job, **waiting, attempt=2, queued_at=then - minute, not_before=then + 4 * minute
    )
    asked = await a_request(world, context, job, created_at=then, overlap_policy="allow")
    for _ in range(2):  # a second ticker, or the same one started again, moves nothing further
        ticker = await a_ticker(world)
        await ticker.plan()
        await ticker.take_requests()
        await ticker.reconcile()
    rows = {row.run_id: row for row in await ledger(world)}
    assert rows[running].check_at <= now + 2 * minute
    assert rows[fresh].not_before <= now + minute
    assert now + 9 * minute < rows[fresh].expires_at < now + 11 * minute
    assert now + 4 * minute < rows[retry].not_before < now + 6 * minute
    assert rows[asked].not_before <= now + minute
    await world.sql("UPDATE contexts SET max_concurrent_runs = 10")
    assert await ticker.admit_waiting() == 2
    states = {row.run_id: row.state for row in await ledger(world)}
    assert (states[fresh], states[asked], states[retry]) == ("dispatched", "dispatched", "queued")


async def test_a_clock_that_is_set_back_is_noticed_by_who_looked_before(world: World) -> None:
    ticker = await a_ticker(world)
    await ticker.reconcile()
    job = await world.a_job(await world.a_context())
    then = datetime.now(UTC) + timedelta(hours=1)
    await world.an_occurrence(
        job, state="queued", dispatched_at=None, created_at=then, not_before=then, queued_at=then
    )
    await ticker.reconcile()
    assert await ticker.admit_waiting() == 0
    assert ticker._looked is not None
    ticker._looked = replace(ticker._looked, now=then)
    await ticker.reconcile()
    assert await ticker.admit_waiting() == 1
