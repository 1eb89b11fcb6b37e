"""Runs that wait for a person take no room, and go on when they are decided upon, or nobody did in time."""

from datetime import timedelta
from uuid import UUID, uuid4

from rota_contracts.events import JobDue
from rota_contracts.values import PendingAction
from rota_ticker.handlers import Ticker
from tests.support.ticking import a_ticker, completed, dues, ledger, make_due
from tests.support.world import World


async def a_parked_run(world: World, ticker: Ticker, **job: object) -> JobDue:
    """The event of a run whose attempt has ended with a call that waits."""
    job_id = await world.a_job(await world.a_context(max_concurrent_runs=1), **job)
    await ticker.plan()
    await make_due(world, job_id)
    await ticker.fire()
    due = next(one for one in await dues(world) if one.job_id == job_id)
    call = PendingAction(tool_call_id="a", tool_name="send", arguments={})
    await ticker.on_completed([completed(due, status="partial", pending_actions=[call])])
    return due


async def decided(world: World, due: JobDue) -> None:
    await world.sql(
        "INSERT INTO run_resumptions (run_id, attempt, context_id, scheduled_for)"
        " VALUES (:run, :attempt, :context, :at)",
        run=due.run_id,
        attempt=due.attempt,
        context=due.context_id,
        at=due.scheduled_for,
    )


async def test_a_parked_run_goes_on_as_its_next_attempt(world: World) -> None:
    ticker = await a_ticker(world)
    due = await a_parked_run(world, ticker)
    [row] = await ledger(world, run_id=due.run_id)
    assert (row.state, row.disposition, row.reason_code) == ("closed", "ran", "partial")
    assert await ticker.take_resumptions() == 0
    ticker._resumptions_horizon = "0"
    await decided(world, due)
    assert await ticker.take_resumptions() == 1
    again = (await dues(world))[-1]
    assert (again.run_id, again.attempt, again.resumes) == (due.run_id, 2, 1)
    assert await ticker.take_resumptions() == 0
    await ticker.on_completed([completed(again)])
    [row] = await ledger(world, run_id=due.run_id)
    assert (row.state, row.disposition, row.reason_code, row.attempt) == ("closed", "ran", "success", 2)


async def test_an_interrupted_run_begins_where_the_interrupted_attempt_did(world: World) -> None:
    """Once a person said what became of its calls: from the start, or where it had waited."""
    ticker = await a_ticker(world)
    for resumes in (None, 1):
        due = await a_parked_run(world, ticker)
        await world.sql(
            "UPDATE occurrences SET reason_code = 'interrupted', resumes = :n WHERE run_id = :run",
            n=resumes,
            run=due.run_id,
        )
        await decided(world, due)
        ticker._resumptions_horizon = "0"
        assert await ticker.take_resumptions() == 1
        again = (await dues(world))[-1]
        assert (again.run_id, again.attempt, again.resumes) == (due.run_id, 2, resumes)
        await ticker.on_completed([completed(again)])


async def test_while_it_waits_the_job_and_its_context_go_on(world: World) -> None:
    ticker = await a_ticker(world)
    due = await a_parked_run(world, ticker, overlap_policy="skip")
    await make_due(world, due.job_id)
    await world.sql("DELETE FROM occurrences WHERE run_id = :run", run=due.run_id)
    await ticker.fire()
    assert [row.state for row in await ledger(world, job_id=due.job_id)] == ["dispatched"]


async def test_a_decision_that_is_faster_than_the_completion_is_not_lost(world: World) -> None:
    ticker = await a_ticker(world)
    job_id = await world.a_job(await world.a_context())
    await ticker.plan()
    await make_due(world, job_id)
    await ticker.fire()
    [due] = await dues(world)
    await decided(world, due)
    assert await ticker.take_resumptions() == 0
    await ticker.on_completed([completed(due, status="partial")])
    await ticker.look()
    assert await ticker.take_resumptions() == 1


async def test_what_nobody_decided_upon_in_time_goes_on(world: World) -> None:
    ticker = await a_ticker(world)
    due = await a_parked_run(world, ticker)
    await parked(world, due, timedelta(hours=1))
    assert await ticker.resume_expired() == 0
    await world.sql("UPDATE pending_actions SET expires_at = now() - interval '1 minute'")
    assert await ticker.resume_expired() == 1
    assert (await dues(world))[-1].resumes == 1
    assert await ticker.resume_expired() == 0


async def parked(world: World, due: JobDue, expiry: timedelta) -> UUID:
    """The result and the action, as results writes them."""
    await world.sql(
        """
        INSERT INTO agent_execution_results
            (run_id, context_id, job_name, agent_name, prompt, status, execution_duration_ms, attempt,
             trigger, session_id, scheduled_for, started_at, completed_at)
        VALUES (:run, :context, 'a', 'b', 'c', 'partial', 1, 1,
                'schedule', :session, :at, now(), now())
        """,
        run=due.run_id,
        context=due.context_id,
        session=uuid4(),
        at=due.scheduled_for,
    )
    action: UUID = await world.value(
        "INSERT INTO pending_actions (context_id, run_id, tool_call_id, tool_name, expires_at)"
        " VALUES (:context, :run, 'a', 'send', now() + CAST(:expiry AS interval)) RETURNING id",
        context=due.context_id,
        run=due.run_id,
        expiry=expiry,
    )
    return action
