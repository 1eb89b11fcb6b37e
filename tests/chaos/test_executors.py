"""Services end, most of all executors: by a crash, by a signal, or for a while."""

import signal
from datetime import datetime
from uuid import UUID

import pytest

from tests.support.audit import never_twice_at_once
from tests.support.eventually import eventually
from tests.support.recorded import READS
from tests.support.system import System

RUNS = 40


async def test_two_tickers_fire_an_occurrence_once(system: System) -> None:
    """I1: one ledger row, one attempt and one result per occurrence, with two tickers racing."""
    context = await system.many_jobs(300, tool=READS)
    await system.make_due(context)
    await system.all_accounted_for(context, 300)
    attempts = "SELECT count(*) FROM run_attempts WHERE context_id = :c"
    assert await system.world.value(attempts, c=context) == 300


@pytest.mark.parametrize("service", ["ticker", "executor", "results", "notifier", "gateway"])
async def test_a_killed_service_loses_and_doubles_nothing(system: System, service: str) -> None:
    """I1, I2: SIGKILL of any service while runs are under way."""
    context = await system.many_jobs(RUNS, tool=READS, arguments={"seconds": 1})
    await system.make_due(context)
    await system.under_way(context)
    system.kill(service)
    system.start(service)
    await system.all_accounted_for(context, RUNS)
    never_twice_at_once(system.executions())


async def test_a_run_survives_the_executor_being_killed(system: System) -> None:
    """I2, I3: the run is taken up by another attempt, after the lease of the first is over."""
    system.kill("executor-2")
    context = await system.many_jobs(1, model="scripted:slow", prompt="sleep 2")
    await system.make_due(context)
    await system.under_way(context)
    system.kill("executor")
    system.start("executor-2")
    over = await lease_over(system, context)
    await system.all_accounted_for(context, 1)
    [first, second] = await system.world.sql(
        "SELECT * FROM run_attempts WHERE context_id = :c ORDER BY attempt", c=context
    )
    assert (first.state, second.state) == ("running", "ended")
    assert second.started_at >= over
    [occurrence] = await system.world.sql(
        "SELECT attempt, losses FROM occurrences WHERE context_id = :c", c=context
    )
    assert tuple(occurrence) == (2, 1)


async def lease_over(system: System, context: UUID) -> datetime:
    """When the lease of whoever holds the context's first attempt was over at last."""
    seen: list[datetime] = []

    async def is_ended() -> bool:
        found = await system.world.sql(
            "SELECT e.lease_until, e.ended_at FROM executors e JOIN run_attempts a ON a.executor = e.id"
            " WHERE a.context_id = :c AND a.attempt = 1",
            c=context,
        )
        seen.extend(row.lease_until for row in found)
        return not found or found[0].ended_at is not None

    await eventually(is_ended, seconds=60, what="the end of the lease")
    return seen[-1]


async def test_a_run_that_kills_every_executor_ends_as_an_error_that_says_so(system: System) -> None:
    """I2, I7: after three lost attempts nobody tries again, and a person can read why."""
    system.kill("executor-2")
    context = await system.many_jobs(1, tool=READS, arguments={"seconds": 60})
    await system.make_due(context)
    for attempt in (1, 2, 3):

        async def begun(number: int = attempt) -> bool:
            statement = "SELECT count(*) FROM run_attempts WHERE attempt = :n AND context_id = :c"
            return bool(await system.world.value(statement, n=number, c=context))

        await eventually(begun, seconds=60, what=f"attempt {attempt}")
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
    context = await system.many_jobs(5, tool=READS, arguments={"seconds": 2})
    await system.make_due(context)

    async def all_begun() -> bool:
        return len([call for call in system.executions() if call.context_id == str(context)]) == 5

    await eventually(all_begun, seconds=60, what="five runs")
    system.signal("executor", signal.SIGSTOP)
    system.start("executor-2")
    await system.all_accounted_for(context, 5)
    results = (
        "SELECT run_id, attempt, status, result_content, completed_at"
        " FROM agent_execution_results WHERE context_id = :c ORDER BY run_id"
    )
    stored = await system.world.sql(results, c=context)
    assert [row.attempt for row in stored] == [2] * 5
    system.signal("executor", signal.SIGCONT)
    again = await system.many_jobs(20, tool=READS, arguments={"seconds": 1})
    await system.make_due(again)
    await system.all_accounted_for(again, 20)
    assert await system.world.sql(results, c=context) == stored
    notifications = "SELECT count(*) FROM notifications WHERE context_id = :c"
    assert await system.world.value(notifications, c=context) == 5
    # What it did once it was awake again: it found its leases over and stopped before anything else.
    first = [call for call in system.executions() if call.context_id == str(context) and call.attempt == 1]
    assert [call.how for call in first] == ["stopped"] * 5


async def test_a_terminated_executor_finishes_what_runs(system: System) -> None:
    """SIGTERM drains: what runs ends within the grace period, by the same attempt."""
    system.kill("executor-2")
    context = await system.many_jobs(5, model="scripted:slow", prompt="sleep 2")
    await system.make_due(context)
    await system.under_way(context, at_least=5)
    assert await system.terminate("executor") == 0
    await system.all_accounted_for(context, 5)
    attempts = "SELECT max(attempt) FROM run_attempts WHERE context_id = :c"
    assert await system.world.value(attempts, c=context) == 1
