"""The ticker's handlers against real servers, as its own role and NATS user."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from rota_contracts.codec import decode, encode_payload
from rota_contracts.events import JobClosed, JobCompleted, JobDue, JobStarted
from rota_contracts.ids import run_id_for
from rota_contracts.streams import DEAD_LETTERS, JOBS, RUNS, TICKER_COMPLETIONS
from rota_ticker.handlers import Ticker
from rota_ticker.repository import QUEUED, Repository
from rota_ticker.service import keep_time
from tests.support.attempts import an_ended_attempt, an_unreadable_outcome
from tests.support.completions import a_completion
from tests.support.eventually import eventually
from tests.support.world import World


async def a_ticker(world: World) -> Ticker:
    bus = await world.bus("ticker")
    await bus.ensure([JOBS, RUNS, DEAD_LETTERS], [TICKER_COMPLETIONS])
    return Ticker(Repository(world.database("ticker")), bus)


async def said(world: World) -> list[Any]:
    jetstream = world.nats_admin.jetstream()
    last = (await jetstream.stream_info("JOBS")).state.messages
    messages = [await jetstream.get_msg("JOBS", number + 1) for number in range(last)]
    return [decode(m.subject or "", m.data or b"", m.headers) for m in messages]


async def timer(world: World, job_id: UUID) -> datetime | None:
    found: datetime | None = await world.value(
        "SELECT next_run_at FROM job_timers WHERE job_id = :id", id=job_id
    )
    return found


async def make_due(world: World, job_id: UUID, *, ago: timedelta = timedelta(0)) -> datetime:
    """Sets the timer of a job to a full minute in the past."""
    instant = (datetime.now(UTC) - ago).replace(second=0, microsecond=0)
    await world.sql("UPDATE job_timers SET next_run_at = :at WHERE job_id = :id", at=instant, id=job_id)
    return instant


def completed(due: JobDue, **columns: Any) -> JobCompleted:
    now = datetime.now(UTC)
    values: dict[str, Any] = {
        "run_id": due.run_id,
        "job_id": due.job_id,
        "context_id": due.context_id,
        "attempt": due.attempt,
        "status": "success",
        "final": True,
        "content": "done",
        "execution_duration_ms": 5,
        "session_id": uuid4(),
        "agent_name": due.job.agent_name,
        "prompt": due.job.skill_prompt,
        "trigger": due.trigger,
        "scheduled_for": due.scheduled_for,
        "started_at": now,
        "completed_at": now,
        "job_name": due.job.name,
        "cron_expression": due.job.cron_expression,
    }
    return JobCompleted(**(values | columns))


async def test_a_new_job_is_planned_for_its_next_instant(world: World) -> None:
    ticker = await a_ticker(world)
    job = await world.a_job(await world.a_context(), cron_expression="30 7 * * *", timezone="Europe/Berlin")
    assert await ticker.plan() == 1
    planned = await timer(world, job)
    assert planned is not None
    assert planned > datetime.now(UTC)
    assert await ticker.plan() == 0


async def test_more_new_jobs_than_a_batch_are_planned_batch_by_batch(world: World) -> None:
    bus = await world.bus("ticker")
    ticker = Ticker(Repository(world.database("ticker")), bus, batch_size=3)
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
    context = await world.a_context()
    jobs = [await world.a_job(context) for _ in range(200)]
    await tickers[0].plan()
    for job in jobs:
        await make_due(world, job)

    async def work(ticker: Ticker) -> int:
        return sum([await ticker.fire(), await ticker.fire(), await ticker.dispatch()])

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
    while await ticker.fire():
        pass
    rows = await world.sql("SELECT * FROM occurrences ORDER BY scheduled_for")
    assert rows[0].scheduled_for == first
    assert {row.disposition for row in rows[:-2]} == {"missed"}
    assert [row.disposition for row in rows[-2:]] == ["coalesced", None]
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
    assert [row.reason for row in rows] == ["the previous run is still open"]


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
    assert await ticker.admit_requests() == 2
    assert await ticker.admit_requests() == 0
    rows = {row.run_id: row for row in await world.sql("SELECT * FROM occurrences")}
    assert sorted(str(rows[run_id].disposition) for run_id in ids) == ["None", "skipped"]
    [due] = [event for event in await said(world) if isinstance(event, JobDue)]
    assert (due.trigger, due.prompt_context) == ("manual", "now")


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
    await world.sql("UPDATE job_timers SET next_run_at = now() WHERE job_id = :id", id=bad)
    await make_due(world, good)
    assert await ticker.fire() == 2
    assert await timer(world, bad) is None
    assert await world.value("SELECT job_id FROM occurrences") == good


async def test_what_was_committed_and_not_published_is_published_later(world: World) -> None:
    ticker = await a_ticker(world)
    job = await world.a_job(await world.a_context())
    run = await world.an_occurrence(job, state="queued", dispatched_at=None)
    assert await ticker.dispatch() == 1
    assert await world.value("SELECT state FROM occurrences WHERE run_id = :r", r=run) == "dispatched"
    assert [event.run_id for event in await said(world)] == [run]
    assert await ticker.dispatch() == 0


async def test_a_run_that_ended_closes_its_occurrence_whatever_the_order_of_the_news(world: World) -> None:
    ticker = await a_ticker(world)
    job = await world.a_job(await world.a_context())
    await ticker.plan()
    await make_due(world, job)
    await ticker.fire()
    [due] = await said(world)
    await ticker.on_attempts([completed(due)])
    now = datetime.now(UTC)
    started = JobStarted(
        run_id=due.run_id,
        job_id=job,
        context_id=due.context_id,
        attempt=1,
        executor="e",
        session_id=uuid4(),
        started_at=now,
    )
    await ticker.on_attempts([started, completed(due)])
    [row] = await world.sql("SELECT * FROM occurrences")
    assert (row.state, row.disposition, row.reason) == ("closed", "ran", "success")


async def test_a_failed_attempt_that_may_be_retried_is_dispatched_again_after_the_backoff(
    world: World,
) -> None:
    ticker = await a_ticker(world)
    job = await world.a_job(await world.a_context(), max_retries=1, retry_backoff_seconds=60)
    await ticker.plan()
    await make_due(world, job)
    await ticker.fire()
    [due] = await said(world)
    failed = completed(due, status="error", final=False, error_kind="model_error", error_message="no")
    await ticker.on_attempts([failed])
    await ticker.on_attempts([failed])  # delivered twice
    [row] = await world.sql("SELECT * FROM occurrences")
    assert (row.state, row.attempt, row.failures) == ("queued", 2, 1)
    assert row.not_before > datetime.now(UTC) + timedelta(seconds=50)
    assert await ticker.dispatch() == 0
    await world.sql("UPDATE occurrences SET not_before = now()")
    assert await ticker.dispatch() == 1
    again = (await said(world))[-1]
    assert (again.run_id, again.attempt, again.failures) == (due.run_id, 2, 1)


async def test_a_retry_is_dispatched_when_its_backoff_is_over_and_nothing_spins_until_then(
    world: World,
) -> None:
    ticker = await a_ticker(world)
    await world.an_occurrence(
        await world.a_job(await world.a_context(), cron_expression="0 0 1 1 *"),
        state="queued",
        dispatched_at=None,
        not_before=datetime.now(UTC) + timedelta(seconds=1),
    )
    rounds = 0

    class Counted(Ticker):
        async def idle_seconds(self, at_most: float) -> float:
            nonlocal rounds
            rounds += 1
            return await super().idle_seconds(at_most)

    counted = Counted(ticker._repository, ticker._bus)
    stopping = asyncio.Event()
    clock = asyncio.create_task(keep_time(counted, 60, stopping))

    async def dispatched() -> bool:
        return bool(await world.value("SELECT state = 'dispatched' FROM occurrences"))

    await eventually(dispatched, seconds=5, what="the retry, long before the next poll")
    stopping.set()
    await clock
    assert rounds < 20


async def test_a_dispatch_does_not_read_the_history_of_its_job(world: World) -> None:
    ticker = await a_ticker(world)
    job = await world.a_job(await world.a_context())
    run = await world.an_occurrence(job, state="queued", dispatched_at=None)
    await world.sql(
        "INSERT INTO occurrences (run_id, job_id, context_id, scheduled_for, effective_at, trigger, state,"
        " disposition, closed_at, created_at)"
        " SELECT gen_random_uuid(), job_id, context_id, t, t, 'schedule', 'closed', 'ran', t, t"
        " FROM occurrences, generate_series(1, 5000) AS i, "
        " LATERAL (SELECT now() - i * interval '1 min' AS t) x"
    )
    await world.sql("ANALYZE occurrences")
    plan = await world.value(
        "EXPLAIN (ANALYZE, FORMAT JSON) " + QUEUED.replace(":fresh", "'{}'").replace(":limit", "500")
    )

    def read(node: dict[str, Any]) -> float:
        own = (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"]
        return float(own) + sum(read(child) for child in node.get("Plans", []))

    assert read(json.loads(plan)[0]["Plan"]) < 100
    assert [one.run_id for one in await ticker._repository.queued([run], 1)] == [run]


@pytest.mark.parametrize(("state", "losses"), [("running", 1), ("released", 0)])
async def test_a_run_whose_executor_vanished_is_dispatched_again(
    world: World, state: str, losses: int
) -> None:
    ticker = await a_ticker(world)
    context = await world.a_context()
    run = await world.an_occurrence(await world.a_job(context))
    await world.sql(
        "INSERT INTO run_attempts"
        " (run_id, attempt, context_id, job_id, executor, state, lease_until, session_id)"
        " SELECT run_id, 1, context_id, job_id, 'gone', :state, now() - interval '3 s', gen_random_uuid()"
        " FROM occurrences",
        state=state,
    )
    assert await ticker.reconcile() == 1
    assert await ticker.reconcile() == 0
    assert await ticker.dispatch() == 1
    [row] = await world.sql("SELECT * FROM occurrences WHERE run_id = :r", r=run)
    assert (row.state, row.attempt, row.losses) == ("dispatched", 2, losses)


async def test_a_dispatch_that_nobody_began_is_said_again_and_stored_once(world: World) -> None:
    ticker = await a_ticker(world)
    job = await world.a_job(await world.a_context())
    await ticker.plan()
    await make_due(world, job)
    await ticker.fire()
    await world.sql("UPDATE occurrences SET dispatched_at = now() - interval '2 minutes'")
    assert await ticker.reconcile() == 1
    assert await ticker.dispatch() == 1
    assert len(await said(world)) == 1


async def test_an_outcome_whose_news_was_lost_still_closes_the_occurrence(world: World) -> None:
    ticker = await a_ticker(world)
    job = await world.a_job(await world.a_context())
    await ticker.plan()
    await make_due(world, job)
    await ticker.fire()
    [due] = await said(world)
    await world.sql(
        "INSERT INTO run_attempts (run_id, attempt, context_id, job_id, executor, state, lease_until,"
        " session_id, ended_at, outcome) SELECT run_id, 1, context_id, job_id, 'e', 'ended', now(),"
        " gen_random_uuid(), now() - interval '1 minute', CAST(:outcome AS jsonb) FROM occurrences",
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
        runs.append(a_completion(context, job, run_id=await world.an_occurrence(job)))
    await an_unreadable_outcome(world, runs[0])
    await an_ended_attempt(world, runs[1])
    assert await ticker.reconcile() == 1
    closed = await world.sql("SELECT run_id FROM occurrences WHERE closed_at IS NOT NULL")
    assert [row.run_id for row in closed] == [runs[1].run_id]


async def test_what_is_queued_for_a_deleted_job_is_suppressed(world: World) -> None:
    ticker = await a_ticker(world)
    job = await world.a_job(await world.a_context())
    await world.an_occurrence(job, state="queued", dispatched_at=None)
    await world.sql("DELETE FROM scheduled_jobs WHERE id = :id", id=job)
    await ticker.dispatch()
    [row] = await world.sql("SELECT * FROM occurrences")
    assert (row.state, row.disposition, row.reason) == ("closed", "suppressed", "the job was deleted")


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
