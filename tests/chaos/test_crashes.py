"""Processes and servers are taken away while runs are under way; the ledger still adds up."""

import asyncio
import signal
from uuid import UUID

import pytest

from tests.support.eventually import eventually
from tests.support.system import System

RUNS = 40


async def running(system: System, context: UUID, at_least: int = 1) -> None:
    async def some() -> bool:
        count = await system.world.value(
            "SELECT count(*) FROM occurrences WHERE state = 'running' AND context_id = :c", c=context
        )
        return bool(count >= at_least)

    await eventually(some, what=f"{at_least} running")


async def test_two_tickers_fire_an_occurrence_once(system: System) -> None:
    """I1: one ledger row, one attempt and one result per occurrence, with two tickers racing."""
    context = await system.many_jobs(300, model="scripted:noop")
    await system.make_due(context)
    await system.all_accounted_for(context, 300)
    attempts = "SELECT count(*) FROM run_attempts WHERE context_id = :c"
    assert await system.world.value(attempts, c=context) == 300


@pytest.mark.parametrize("service", ["ticker", "executor", "results", "notifier", "gateway"])
async def test_a_killed_service_loses_and_doubles_nothing(system: System, service: str) -> None:
    """I1, I2: SIGKILL of any service while runs are under way."""
    context = await system.many_jobs(RUNS, model="scripted:slow", prompt="sleep 1")
    await system.make_due(context)
    await running(system, context)
    system.kill(service)
    system.start(service)
    await system.all_accounted_for(context, RUNS)


async def test_a_run_survives_the_executor_being_killed(system: System) -> None:
    """I2, I3: the run is taken up by another attempt, after the lease of the first is over."""
    system.kill("executor-2")
    context = await system.many_jobs(1, model="scripted:slow", prompt="sleep 2")
    await system.make_due(context)
    await running(system, context)
    system.kill("executor")
    system.start("executor-2")
    await system.all_accounted_for(context, 1)
    [first, second] = await system.world.sql(
        "SELECT * FROM run_attempts WHERE context_id = :c ORDER BY attempt", c=context
    )
    assert (first.state, second.state) == ("running", "ended")
    assert second.started_at >= first.lease_until
    [occurrence] = await system.world.sql(
        "SELECT attempt, losses FROM occurrences WHERE context_id = :c", c=context
    )
    assert tuple(occurrence) == (2, 1)


async def test_a_run_that_kills_every_executor_ends_as_an_error_that_says_so(system: System) -> None:
    """I2, I7: after three lost attempts nobody tries again, and a person can read why."""
    system.kill("executor-2")
    context = await system.many_jobs(1, model="scripted:slow", prompt="sleep 60")
    await system.make_due(context)
    for attempt in (1, 2, 3):

        async def begun(number: int = attempt) -> bool:
            statement = "SELECT count(*) FROM run_attempts WHERE attempt = :n AND context_id = :c"
            return bool(await system.world.value(statement, n=number, c=context))

        await eventually(begun, seconds=30, what=f"attempt {attempt}")
        system.kill("executor")
        system.start("executor")
    await system.all_accounted_for(context, 1)
    [result] = await system.world.sql(
        "SELECT status, error_kind, error_message FROM agent_execution_results WHERE context_id = :c",
        c=context,
    )
    assert (result.status, result.error_kind) == ("error", "lost")
    assert "3" in result.error_message


async def test_a_frozen_executor_cannot_finish_what_another_took_over(system: System) -> None:
    """I3: the late result of an executor that was stopped past its lease changes nothing."""
    system.kill("executor-2")
    context = await system.many_jobs(1, model="scripted:slow", prompt="sleep 2")
    await system.make_due(context)
    await running(system, context)
    system.signal("executor", signal.SIGSTOP)
    system.start("executor-2")
    await system.all_accounted_for(context, 1)
    results = (
        "SELECT run_id, attempt, status, result_content, completed_at"
        " FROM agent_execution_results WHERE context_id = :c"
    )
    stored = await system.world.sql(results, c=context)
    system.signal("executor", signal.SIGCONT)
    again = await system.many_jobs(20, model="scripted:slow", prompt="sleep 1")
    await system.make_due(again)
    await system.all_accounted_for(again, 20)
    assert await system.world.sql(results, c=context) == stored


async def test_a_terminated_executor_finishes_what_runs(system: System) -> None:
    """SIGTERM drains: what runs ends within the grace period, by the same attempt."""
    system.kill("executor-2")
    context = await system.many_jobs(5, model="scripted:slow", prompt="sleep 2")
    await system.make_due(context)
    await running(system, context, at_least=5)
    assert await system.terminate("executor") == 0
    await system.all_accounted_for(context, 5)
    attempts = "SELECT max(attempt) FROM run_attempts WHERE context_id = :c"
    assert await system.world.value(attempts, c=context) == 1


async def test_a_killed_nats_loses_and_doubles_nothing(system: System) -> None:
    """I1, I2: NATS is killed while runs are under way and comes back; everybody goes on by itself."""
    context = await system.many_jobs(RUNS, model="scripted:slow", prompt="sleep 1")
    await system.make_due(context)
    await running(system, context)
    system.world.servers.nats.kill()
    await asyncio.to_thread(system.world.servers.nats.start)
    await system.all_accounted_for(context, RUNS)
    again = await system.many_jobs(RUNS, model="scripted:noop")
    await system.make_due(again)
    await system.all_accounted_for(again, RUNS)


async def test_the_streams_may_vanish_while_runs_are_under_way(system: System) -> None:
    """I2: PostgreSQL remembers; the loss of everything in NATS costs time, no run and no result."""
    context = await system.many_jobs(RUNS, model="scripted:slow", prompt="sleep 1")
    await system.make_due(context)
    await running(system, context)
    jetstream = system.world.nats_admin.jetstream()
    for name in ("JOBS", "RUNS", "DEAD_LETTERS"):
        await jetstream.delete_stream(name)
    await system.all_accounted_for(context, RUNS)


async def test_a_restarted_postgres_loses_and_doubles_nothing(system: System) -> None:
    """I1, I2: PostgreSQL stops at once while runs are under way and comes back."""
    context = await system.many_jobs(RUNS, model="scripted:slow", prompt="sleep 1")
    await system.make_due(context)
    await running(system, context)
    await asyncio.to_thread(system.world.servers.postgres.stop, "immediate")
    await asyncio.to_thread(system.world.servers.postgres.start)
    await system.world.reconnect()
    await system.all_accounted_for(context, RUNS)


async def test_one_poison_message_stops_nobody(system: System) -> None:
    """I7: what no service can read ends among the dead letters, and the next run is on time."""
    jetstream = system.world.nats_admin.jetstream()
    before = (await jetstream.stream_info("DEAD_LETTERS")).state.messages
    for subject in ("job.due.a.b", "job.completed.a.b", "job.started.a.b", "approval.requested.a.b"):
        await jetstream.publish(subject, b"\x00 no event", headers={"ce-type": "rota.job.due.v1"})
    context = await system.many_jobs(3, model="scripted:noop")
    await system.make_due(context)
    await system.all_accounted_for(context, 3)

    async def buried() -> bool:
        info = await jetstream.stream_info("DEAD_LETTERS")
        # job.due: the executor's. job.completed: of results, notifier and ticker. The others: one each.
        return bool(info.state.messages == before + 6)

    await eventually(buried, what="six dead letters")
