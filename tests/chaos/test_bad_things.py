"""What no service can read, plan or store: the others go on, and the one is named (I7)."""

from typing import Any
from uuid import UUID

import pytest

from rota_contracts.codec import encode
from rota_contracts.events import JobCompleted
from rota_contracts.streams import EXECUTOR, NOTIFIER, NOTIFIER_APPROVALS, RESULTS, TICKER_COMPLETIONS
from rota_store.errors import StatementError
from tests.support.audit import at_rest, disable
from tests.support.completions import a_completion
from tests.support.eventually import eventually
from tests.support.recorded import READS
from tests.support.system import System

# Rows that the API would refuse, each in another way.
IMPOSSIBLE: dict[str, dict[str, Any]] = {
    "a day that never comes": {"cron_expression": "0 0 31 2 *"},
    "no schedule at all": {"cron_expression": "every morning"},
    "a zone that is none": {"timezone": "Europe/Atlantis"},
    "seconds without leave": {"cron_expression": "* * * * * *"},
}
# Columns with SQL for values that PostgreSQL could hold, and no service could read.
UNREADABLE = {
    "start_at": "timestamptz 'infinity'",
    "end_at": "timestamptz '20000-01-01Z'",
    "paused_until": "timestamptz '-infinity'",
    "excluded_instants": "ARRAY[timestamptz '0044-03-15Z BC']",
    "excluded_dates": "ARRAY[NULL::date]",
    "calendar_dates": "ARRAY[date 'infinity']",
    "arguments": "jsonb '[1, 2]'",
}
# Columns with SQL for values at the edge of what is allowed.
EXTREME = {
    "start_at": "timestamptz '9999-12-29Z'",
    "end_at": "timestamptz '0001-01-02Z'",
    "paused_until": "timestamptz '9999-12-29Z'",
    "jitter_seconds": "2147483647",
    "catch_up_window_seconds": "2147483647",
    "excluded_instants": "ARRAY[timestamptz '0001-01-02Z', timestamptz '9999-12-29Z']",
    "excluded_dates": "ARRAY[date '0001-01-02', date '9999-12-29']",
    "queue_ttl_seconds": "2147483647",
    "max_runs": "2147483647",
    "created_at": "timestamptz '0001-01-02Z'",
    "timezone": "'../../etc/passwd'",
    "cron_expression": "'@every 9999999999h'",
}


async def letters(system: System) -> list[dict[str, str]]:
    """The headers of all dead letters."""
    jetstream = system.world.nats_admin.jetstream()
    state = (await jetstream.stream_info("DEAD_LETTERS")).state
    if not state.messages:
        return []
    found = [
        await jetstream.get_msg("DEAD_LETTERS", number)
        for number in range(state.first_seq, state.last_seq + 1)
    ]
    return [message.headers or {} for message in found]


async def buried(system: System, subject: str, *consumers: str) -> list[str]:
    """Waits until each of the consumers has put that message away; why they did."""

    async def there() -> list[str]:
        found = {
            letter["rota-consumer"]: letter["rota-reason"]
            for letter in await letters(system)
            if letter["rota-subject"] == subject
        }
        return list(found.values()) if set(consumers) <= found.keys() else []

    return await eventually(there, seconds=60, every=0.2, what=f"dead letters of {subject}")


async def the_others_go_on(system: System) -> None:
    context = await system.many_jobs(3, tool=READS)
    await system.make_due(context)
    await system.all_accounted_for(context, 3)


async def test_what_nobody_can_read_stops_nobody(system: System) -> None:
    """I7: garbage on a subject ends among the dead letters of each who hears it; the next run is on time."""
    jetstream = system.world.nats_admin.jetstream()
    for subject in ("job.due.a.b", "job.completed.a.b", "job.started.a.b", "approval.requested.a.b"):
        await jetstream.publish(subject, b"\x00 no event", headers={"ce-type": "rota.job.due.v1"})
    await the_others_go_on(system)
    await buried(system, "job.due.a.b", EXECUTOR.durable)
    await buried(system, "job.completed.a.b", RESULTS.durable, NOTIFIER.durable, TICKER_COMPLETIONS.durable)
    await buried(system, "approval.requested.a.b", NOTIFIER_APPROVALS.durable)


async def test_an_event_with_a_field_missing_stops_nobody(system: System) -> None:
    """I7: the right headers around the wrong content; the letter says what is wrong with it."""
    event = a_completion(await system.world.a_context(), UUID(int=1))
    message = encode(event, source="executor")
    headers = {"ce-type": JobCompleted.TYPE, "ce-id": "x", "ce-source": "executor", "ce-specversion": "1.0"}
    payload = message.payload.replace(b'"attempt":1', b'"attempt":"first"')
    await system.world.nats_admin.jetstream().publish(message.subject, payload, headers=headers)
    await the_others_go_on(system)
    reasons = await buried(
        system, message.subject, RESULTS.durable, NOTIFIER.durable, TICKER_COMPLETIONS.durable
    )
    assert all("attempt" in reason for reason in reasons), reasons


async def test_a_completion_that_postgres_refuses_stops_nobody(system: System) -> None:
    """I7: what PostgreSQL refuses is tried a few times, then put away by the one who wanted to store it."""
    context = await system.world.a_context()
    too_long = 2**63  # in milliseconds; more than the column takes
    event = a_completion(context, await system.world.a_job(context), execution_duration_ms=too_long)
    message = encode(event, source="executor")
    headers = {
        "ce-type": JobCompleted.TYPE,
        "ce-id": event.message_id,
        "ce-source": "executor",
        "ce-specversion": "1.0",
    }
    await system.world.nats_admin.jetstream().publish(message.subject, message.payload, headers=headers)
    await the_others_go_on(system)
    [reason] = await buried(system, message.subject, RESULTS.durable)
    assert "a value is refused" in reason
    await the_others_go_on(system)


async def test_an_answer_that_postgres_refuses_ends_as_an_error(system: System) -> None:
    """I2, I7: the run is not lost with its answer: it ends, and says that the answer could not be stored."""
    await system.world.sql(
        "ALTER TABLE run_attempts ADD CONSTRAINT refuses CHECK (outcome ->> 'content' <> 'unspeakable')"
    )
    try:
        bad = await system.many_jobs(1, tool=READS, arguments={"says": "unspeakable"})
        good = await system.many_jobs(10, tool=READS)
        await system.make_due(bad, good)
        await system.all_accounted_for(good, 10)
        await system.all_accounted_for(bad, 1)
    finally:
        await system.world.sql("ALTER TABLE run_attempts DROP CONSTRAINT refuses")
    [result] = await system.world.sql("SELECT * FROM agent_execution_results WHERE context_id = :c", c=bad)
    assert (result.status, result.error_kind) == ("error", "internal")
    assert "could not be stored" in result.error_message
    assert system.said("outcome_refused", run_id=str(result.run_id))


async def test_a_result_that_postgres_refuses_holds_up_no_other(system: System) -> None:
    """I7: results of the same batch are stored; the one is told by its run."""
    await system.world.sql(
        "ALTER TABLE agent_execution_results ADD CONSTRAINT refuses"
        " CHECK (result_content <> 'unspeakable') NOT VALID"
    )
    try:
        bad = await system.many_jobs(1, tool=READS, arguments={"says": "unspeakable"})
        good = await system.many_jobs(10, tool=READS)
        await system.make_due(bad, good)
        await system.all_accounted_for(good, 10)
        [run] = await system.world.sql("SELECT * FROM occurrences WHERE context_id = :c", c=bad)
        await buried(system, f"job.completed.{run.context_id}.{run.job_id}", RESULTS.durable)

        async def named() -> bool:
            return bool(system.said("record_refused", run_id=str(run.run_id)))

        await eventually(named, seconds=60, every=0.2, what="the sweep to name the run")
        await the_others_go_on(system)
    finally:
        await system.world.sql("ALTER TABLE agent_execution_results DROP CONSTRAINT refuses")
    # Nothing is lost: once it can be stored, the sweep stores it.
    await system.all_accounted_for(bad, 1)


async def test_an_impossible_schedule_stops_its_own_job_and_no_other(system: System) -> None:
    """I7: rows that were written past every check are named, in their timer and in the log."""
    context = await system.world.a_context()
    jobs = {
        what: await system.world.a_job(context, name=what, **columns) for what, columns in IMPOSSIBLE.items()
    }
    await the_others_go_on(system)
    for what, job_id in jobs.items():

        async def told(job_id: UUID = job_id) -> bool:
            statement = "SELECT error FROM job_timers WHERE job_id = :j AND next_run_at IS NULL"
            return bool(rows := await system.world.sql(statement, j=job_id)) and bool(rows[0].error)

        await eventually(told, what=what)
        assert system.said("unplannable", job_id=str(job_id)), what


@pytest.mark.parametrize("column", UNREADABLE)
async def test_a_job_that_nobody_could_read_is_refused_by_the_table(system: System, column: str) -> None:
    """I7: one such row would stop whoever reads it in a batch with others; there can be none."""
    job_id = await system.world.a_job(await system.world.a_context(), is_enabled=False)
    with pytest.raises(StatementError) as refused:
        await system.world.sql(
            f"UPDATE scheduled_jobs SET {column} = {UNREADABLE[column]} WHERE id = :j", j=job_id
        )
    assert (refused.value.constraint or "").startswith("ck_scheduled_jobs_")


async def test_jobs_at_the_edge_of_everything_stop_no_other(system: System) -> None:
    """I7: whatever the table lets in, the clock goes on for every other job."""
    context = await system.world.a_context()
    for column, value in EXTREME.items():
        job_id = await system.world.a_job(context, name=column)
        await system.world.sql(f"UPDATE scheduled_jobs SET {column} = {value} WHERE id = :j", j=job_id)
    await the_others_go_on(system)
    await disable(system.world, [context])
    await at_rest(system.world, [context])
    await the_others_go_on(system)
    assert not system.said("clock_failed")
