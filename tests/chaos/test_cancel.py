"""A person ends a run: what runs is really stopped, and the result says who wanted that."""

import asyncio
import signal
from uuid import UUID

from tests.support.eventually import eventually
from tests.support.recorded import READS, Execution
from tests.support.system import System


async def runs_of(system: System, context: UUID) -> list[UUID]:
    """The runs of the context, which becomes one of the person behind the API key."""
    await system.world.sql(
        "INSERT INTO memberships (context_id, user_id, role)"
        " SELECT :c, id, 'owner' FROM users WHERE is_admin ON CONFLICT DO NOTHING",
        c=context,
    )
    rows = await system.world.sql(
        "SELECT run_id FROM occurrences WHERE context_id = :c ORDER BY state, run_id", c=context
    )
    return [row.run_id for row in rows]


async def cancel(system: System, run_id: UUID) -> None:
    await system.post(f"/runs/{run_id}/cancel", {"reason": "not today"}, status=202)


async def a_sleeping_run(system: System) -> tuple[UUID, UUID]:
    """A context and the id of its run, whose tool sleeps for a minute."""
    context = await system.many_jobs(1, tool=READS, arguments={"seconds": 60})
    await system.make_due(context)
    await executions_of(system, context, at_least=1)
    [run_id] = await runs_of(system, context)
    return context, run_id


async def executions_of(system: System, context: UUID, *, at_least: int) -> list[Execution]:
    async def begun() -> list[Execution]:
        found = [call for call in system.executions() if call.context_id == str(context)]
        return found if len(found) >= at_least else []

    return await eventually(begun, seconds=60, what=f"{at_least} executions") if at_least else await begun()


async def ended_as_cancelled(system: System, context: UUID) -> None:
    await system.all_accounted_for(context, 1)
    [result] = await system.world.sql(
        "SELECT * FROM agent_execution_results WHERE context_id = :c", c=context
    )
    assert (result.status, result.error_kind) == ("error", "cancelled")
    who = await system.world.value("SELECT cancel_reason FROM occurrences WHERE context_id = :c", c=context)
    assert who.startswith("cancelled by ")
    assert who.endswith(": not today")
    assert who in result.error_message
    assert {call.how for call in await executions_of(system, context, at_least=1)} == {"stopped"}


async def test_a_running_tool_is_stopped(system: System) -> None:
    """A cancelled run does not finish: its tool is stopped, and its result says who cancelled it."""
    context, run_id = await a_sleeping_run(system)
    await cancel(system, run_id)
    await ended_as_cancelled(system, context)


async def test_a_queued_run_never_begins(system: System) -> None:
    """A cancelled run that waits for room is closed as skipped, and nothing is executed for it."""
    context = await system.many_jobs(2, tool=READS, arguments={"seconds": 3}, at_once=1)
    await system.make_due(context)
    await executions_of(system, context, at_least=1)
    _, waiting = await runs_of(system, context)
    await cancel(system, waiting)

    async def closed() -> bool:
        statement = "SELECT count(*) FROM occurrences WHERE context_id = :c AND state = 'closed'"
        return bool(await system.world.value(statement, c=context) == 2)

    await eventually(closed, seconds=60, what="both to be closed")
    [row] = await system.world.sql("SELECT * FROM occurrences WHERE run_id = :r", r=waiting)
    assert (row.disposition, row.reason_code) == ("skipped", "cancelled")
    assert row.reason.startswith("cancelled by ")
    assert len(await executions_of(system, context, at_least=1)) == 1


async def a_waiting_retry(system: System) -> tuple[UUID, UUID]:
    """A context and the id of its run, which failed once and is tried again in an hour."""
    context = await system.many_jobs(1, model="scripted:fail", retries=3, backoff_seconds=3600)
    await system.make_due(context)

    async def waits() -> bool:
        return bool(
            await system.world.sql(
                "SELECT 1 FROM occurrences WHERE context_id = :c AND state = 'queued' AND attempt = 2",
                c=context,
            )
        )

    await eventually(waits, seconds=60, what="the retry to wait")
    [run_id] = await runs_of(system, context)
    return context, run_id


async def test_a_run_that_waits_for_its_retry_when_its_job_is_deleted_ends_with_a_result(
    system: System,
) -> None:
    """It ran: what became of it is on record under the name of the job, and says why it was not tried on."""
    context, run_id = await a_waiting_retry(system)
    [job] = await system.world.sql("SELECT id, name FROM scheduled_jobs WHERE context_id = :c", c=context)
    assert (await system.api.delete(f"/api/v1/jobs/{job.id}")).status_code == 204
    await system.world.sql("UPDATE occurrences SET not_before = now() WHERE run_id = :r", r=run_id)
    run = await system.a_result(str(run_id))
    assert (run["status"], run["error_kind"], run["attempt"]) == ("error", "cancelled", 2)
    assert "the job was deleted" in run["error_message"]
    assert (run["job_name"], run["job_id"]) == (job.name, None)

    async def ended() -> bool:
        [row] = await system.world.sql("SELECT * FROM occurrences WHERE context_id = :c", c=context)
        return (row.disposition, row.reason_code) == ("ran", "cancelled")

    await eventually(ended, seconds=60, what="the end of the occurrence")


async def test_a_run_that_waits_for_its_retry_ends_with_a_result(system: System) -> None:
    """Cancelled in the backoff after its first failure, it ran: the record and the bell say who ended it."""
    context, run_id = await a_waiting_retry(system)
    await cancel(system, run_id)
    run = await system.a_result(str(run_id))
    assert (run["status"], run["error_kind"], run["attempt"]) == ("error", "cancelled", 2)
    await system.all_accounted_for(context, 1)
    [row] = await system.world.sql("SELECT * FROM occurrences WHERE context_id = :c", c=context)
    assert (row.disposition, row.reason_code) == ("ran", "cancelled")
    assert row.cancel_reason in run["error_message"]
    assert row.cancel_reason.endswith(": not today")
    [told] = await system.world.sql("SELECT * FROM notifications WHERE context_id = :c", c=context)
    assert (told.category, told.body) == ("error", run["error_message"])
    kinds = await system.world.sql(
        "SELECT outcome ->> 'error_kind' AS kind FROM run_attempts WHERE run_id = :r ORDER BY attempt",
        r=run_id,
    )
    assert [one.kind for one in kinds] == ["model_error", "cancelled"]


async def test_a_frozen_executor_stops_the_run_when_it_wakes(system: System) -> None:
    """I3: cancelled while its executor was frozen, the run ends as cancelled by whoever holds it then."""
    context, run_id = await a_sleeping_run(system)
    for name in ("executor", "executor-2"):
        system.signal(name, signal.SIGSTOP)
    await cancel(system, run_id)
    await is_asked_to_stop(system, run_id)
    for name in ("executor", "executor-2"):
        system.signal(name, signal.SIGCONT)
    await ended_as_cancelled(system, context)


async def test_a_cancellation_needs_no_hint(system: System) -> None:
    """The hint is lost with NATS and the ticker that would say it: the executor finds it in the ledger."""
    context, run_id = await a_sleeping_run(system)
    nats = system.world.servers.nats
    nats.kill()
    await cancel(system, run_id)
    await is_asked_to_stop(system, run_id)
    for name in ("ticker", "ticker-2", "gateway"):
        system.kill(name)
    await asyncio.to_thread(nats.start)
    await system.heal()
    await ended_as_cancelled(system, context)


async def is_asked_to_stop(system: System, run_id: UUID) -> None:
    async def marked() -> bool:
        statement = "SELECT cancelled_at FROM occurrences WHERE run_id = :r"
        return bool(await system.world.value(statement, r=run_id))

    await eventually(marked, seconds=60, what="the mark in the ledger")
