"""results against real servers, as its own role and NATS user."""

import json
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

import msgspec
import pytest

from rota_contracts.codec import decode
from rota_contracts.events import ApprovalRequested, JobCompleted, ResultRecorded
from rota_contracts.streams import DEAD_LETTERS, JOBS, RESULTS, RUNS
from rota_contracts.transcript import Entry
from rota_contracts.values import ContentBlock, PendingAction, ReportedOutcome, Usage
from rota_results.handlers import Recorder
from rota_results.repository import Repository
from tests.support.attempts import an_ended_attempt, an_unreadable_outcome
from tests.support.completions import a_completion
from tests.support.world import World


async def a_recorder(world: World) -> Recorder:
    bus = await world.bus("results")
    await bus.ensure([JOBS, RUNS, DEAD_LETTERS], [RESULTS])
    return Recorder(Repository(world.database("results")), bus)


async def said(world: World) -> list[Any]:
    jetstream = world.nats_admin.jetstream()
    last = (await jetstream.stream_info("RUNS")).state.messages
    messages = [await jetstream.get_msg("RUNS", number + 1) for number in range(last)]
    return [decode(m.subject or "", m.data or b"", m.headers) for m in messages]


async def test_success(world: World) -> None:
    recorder = await a_recorder(world)
    context, owner = await world.a_context(), await world.a_user()
    job = await world.a_job(context, owner_id=owner)
    event = a_completion(
        context, job, owner_id=owner, usage=Usage(requests=2, input_tokens=9), model="scripted:noop"
    )
    assert await recorder.on_job_completed([event]) == 1
    [row] = await world.sql("SELECT * FROM agent_execution_results")
    assert (row.run_id, row.context_id, row.user_id, row.schedule_id) == (event.run_id, context, owner, job)
    assert (row.status, row.result_content, row.agent_name) == ("success", "All is well.", "orchestrator")
    assert json.loads(row.usage)["input_tokens"] == 9
    assert json.loads(row.metadata)["model"] == "scripted:noop"
    [recorded] = await said(world)
    assert isinstance(recorded, ResultRecorded)
    assert (recorded.run_id, recorded.job_id) == (event.run_id, job)


async def test_error_stored_and_returned(world: World) -> None:
    recorder = await a_recorder(world)
    context = await world.a_context()
    job = await world.a_job(context)
    event = a_completion(
        context,
        job,
        status="error",
        content="",
        error_kind="agent_not_found",
        error_message="The agent 'x' does not exist.",
    )
    await recorder.on_job_completed([event])
    [row] = await world.sql("SELECT * FROM agent_execution_results")
    assert (row.status, row.error_kind) == ("error", "agent_not_found")
    assert row.error_message == "The agent 'x' does not exist."
    assert row.execution_duration_ms == 1234
    [statistics] = await world.sql("SELECT * FROM job_statistics")
    assert statistics.last_run_result == "The agent 'x' does not exist."


async def test_content_blocks_normalised(world: World) -> None:
    recorder = await a_recorder(world)
    context = await world.a_context()
    blocks = [
        ContentBlock(type="text", text="First."),
        ContentBlock(type="thinking", text="secret thoughts"),
        ContentBlock(type="image"),
        ContentBlock(type="text", text="Sec\0ond."),
    ]
    await recorder.on_job_completed([a_completion(context, await world.a_job(context), content=blocks)])
    assert await world.value("SELECT result_content FROM agent_execution_results") == "First.\nSecond."


async def test_duration_stored(world: World) -> None:
    recorder = await a_recorder(world)
    context = await world.a_context()
    job = await world.a_job(context)
    await recorder.on_job_completed([a_completion(context, job, execution_duration_ms=4321)])
    assert await world.value("SELECT execution_duration_ms FROM agent_execution_results") == 4321
    assert await world.value("SELECT last_run_duration_ms FROM job_statistics") == 4321


async def test_result_cut_at_50000_characters(world: World) -> None:
    recorder = await a_recorder(world)
    context = await world.a_context()
    content = "ä" * 50_001
    await recorder.on_job_completed([a_completion(context, await world.a_job(context), content=content)])
    [row] = await world.sql("SELECT result_content, metadata FROM agent_execution_results")
    assert row.result_content == content[:50_000]
    assert json.loads(row.metadata)["content_length"] == 50_001
    assert await world.value("SELECT length(last_run_result) FROM job_statistics") == 2_000


async def test_a_result_that_arrives_twice_is_stored_and_counted_once(world: World) -> None:
    recorder = await a_recorder(world)
    context = await world.a_context()
    event = a_completion(context, await world.a_job(context))
    assert await recorder.on_job_completed([event, event]) == 1
    assert await recorder.on_job_completed([event]) == 0
    assert await world.value("SELECT count(*) FROM agent_execution_results") == 1
    assert await world.value("SELECT run_count FROM job_statistics") == 1
    assert len(await said(world)) == 1


async def test_an_earlier_attempt_never_replaces_a_later_one(world: World) -> None:
    recorder = await a_recorder(world)
    context = await world.a_context()
    job = await world.a_job(context)
    second = a_completion(context, job, attempt=2, content="second")
    first = a_completion(context, job, run_id=second.run_id, attempt=1, content="first")
    assert await recorder.on_job_completed([second]) == 1
    assert await recorder.on_job_completed([first]) == 0
    assert await world.value("SELECT result_content FROM agent_execution_results") == "second"
    third = a_completion(context, job, run_id=second.run_id, attempt=3, content="third")
    assert await recorder.on_job_completed([first, third]) == 1
    assert await world.value("SELECT result_content FROM agent_execution_results") == "third"
    assert await world.value("SELECT run_count FROM job_statistics") == 1


@pytest.mark.parametrize(("status", "errors"), [("success", 0), ("error", 1)])
async def test_a_run_that_went_on_is_counted_once_and_as_it_ended(
    world: World, status: str, errors: int
) -> None:
    recorder = await a_recorder(world)
    context = await world.a_context()
    job = await world.a_job(context)
    parked = a_completion(context, job, status="partial", content="Let me ask.")
    await recorder.on_job_completed([parked])
    await recorder.on_job_completed(
        [a_completion(context, job, run_id=parked.run_id, attempt=2, status=status)]
    )
    [row] = await world.sql("SELECT * FROM job_statistics")
    assert (row.run_count, row.error_count, row.consecutive_failures) == (1, errors, errors)
    assert (row.last_run_id, row.last_run_status, row.last_run_result) == (
        parked.run_id,
        status,
        "All is well.",
    )


async def test_an_attempt_that_will_be_retried_is_no_result(world: World) -> None:
    recorder = await a_recorder(world)
    context = await world.a_context()
    event = a_completion(context, await world.a_job(context), status="error", final=False)
    assert await recorder.on_job_completed([event]) == 0
    assert await world.value("SELECT count(*) FROM agent_execution_results") == 0


async def test_statistics_count_runs_errors_and_failures_in_a_row(world: World) -> None:
    recorder = await a_recorder(world)
    context = await world.a_context()
    job = await world.a_job(context)
    start = datetime.now(UTC)

    def at(minute: int, status: str) -> JobCompleted:
        moment = start + timedelta(minutes=minute)
        return a_completion(context, job, status=status, started_at=moment, completed_at=moment)

    await recorder.on_job_completed([at(2, "error"), at(1, "success")])
    [row] = await world.sql("SELECT * FROM job_statistics")
    assert (row.run_count, row.error_count, row.consecutive_failures) == (2, 1, 1)
    await recorder.on_job_completed([at(3, "error"), at(4, "error")])
    [row] = await world.sql("SELECT * FROM job_statistics")
    assert (row.run_count, row.error_count, row.consecutive_failures) == (4, 3, 3)
    assert (row.last_run_status, row.last_run_at) == ("error", start + timedelta(minutes=4))
    await recorder.on_job_completed([at(5, "success")])
    assert await world.value("SELECT consecutive_failures FROM job_statistics") == 0


async def test_pending_actions_are_stored_and_asked_for(world: World) -> None:
    recorder = await a_recorder(world)
    context = await world.a_context()
    job = await world.a_job(context)
    actions = [
        PendingAction(
            tool_call_id="c1",
            tool_name="send_mail",
            arguments={"to": "a@example.org"},
            reason="She asked for it.",
        )
    ]
    event = a_completion(context, job, status="partial", pending_actions=actions)
    await recorder.on_job_completed([event])
    assert await world.value("SELECT pending_actions_created FROM agent_execution_results") == 1
    [row] = await world.sql("SELECT * FROM pending_actions")
    assert (row.run_id, row.tool_name, row.status) == (event.run_id, "send_mail", "pending")
    assert row.reason == "She asked for it."
    [requested] = [event for event in await said(world) if isinstance(event, ApprovalRequested)]
    assert requested.actions == actions


async def test_the_conversation_is_kept(world: World) -> None:
    recorder = await a_recorder(world)
    context = await world.a_context()
    event = a_completion(context, await world.a_job(context))
    transcript = '[{"role": "user", "content": "Look."}, {"role": "assistant", "content": "All is well."}]'
    await an_ended_attempt(world, event, transcript=transcript)
    await recorder.on_job_completed([event])
    rows = await world.sql("SELECT * FROM conversation_messages ORDER BY position")
    assert [(row.role, row.content) for row in rows] == [("user", "Look."), ("assistant", "All is well.")]
    assert {row.session_id for row in rows} == {event.session_id}


async def test_the_conversation_is_kept_with_the_time_and_tokens_of_each_call(world: World) -> None:
    recorder = await a_recorder(world)
    context = await world.a_context()
    event = a_completion(context, await world.a_job(context))
    entries = [
        Entry(position=1, role="user", content="Look."),
        Entry(
            position=7,
            role="assistant",
            content='post({"a": 1})',
            started_at=event.started_at,
            duration_ms=1200,
            input_tokens=90,
            output_tokens=4,
            model="afar",
            tool_name="post",
            tool_call_id="call-1",
            arguments={"a": 1},
        ),
        Entry(position=8, role="tool", content="post: no", tool_call_id="call-1", status="denied"),
    ]
    await an_ended_attempt(world, event, transcript=msgspec.json.encode(entries).decode())
    await recorder.on_job_completed([event])
    rows = await world.sql("SELECT * FROM conversation_messages ORDER BY position")
    assert [(row.position, row.duration_ms, row.status) for row in rows] == [
        (1, None, None),
        (7, 1200, None),
        (8, None, "denied"),
    ]
    call = rows[1]
    assert (call.started_at, call.input_tokens, call.output_tokens) == (event.started_at, 90, 4)
    assert (call.model, call.tool_name, json.loads(call.arguments)) == ("afar", "post", {"a": 1})


async def test_an_outcome_whose_event_was_lost_is_recorded_from_its_row(world: World) -> None:
    recorder = await a_recorder(world)
    context = await world.a_context()
    event = a_completion(context, await world.a_job(context))
    await an_ended_attempt(world, event)
    assert await recorder.sweep() == 1
    assert await world.value("SELECT run_id FROM agent_execution_results") == event.run_id
    assert await recorder.sweep() == 0
    assert len(await said(world)) == 1


async def test_a_clock_that_is_fast_does_not_blind_the_sweep(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Fast(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]  # only ever called as here
            return datetime.now(tz) + timedelta(hours=1)

    monkeypatch.setattr("rota_results.handlers.datetime", Fast)
    recorder = await a_recorder(world)
    assert await recorder.sweep() == 0
    context = await world.a_context()
    await an_ended_attempt(world, a_completion(context, await world.a_job(context)))
    assert await recorder.sweep() == 1


async def test_a_clock_that_is_set_back_does_not_blind_the_sweep(world: World) -> None:
    recorder = await a_recorder(world)
    await recorder.sweep()
    assert recorder._swept_until is not None
    recorder._swept_until += timedelta(hours=1)  # as PostgreSQL's clock said then
    context = await world.a_context()
    await an_ended_attempt(world, a_completion(context, await world.a_job(context)))
    assert await recorder.sweep() == 1


async def test_outcomes_that_cannot_be_recorded_do_not_hold_up_the_sweep(world: World) -> None:
    recorder = await a_recorder(world)
    context = await world.a_context()
    job = await world.a_job(context)
    good = a_completion(context, job)
    refused = a_completion(context, job, agent_revision=2**40)  # the column is an integer of four bytes
    await an_unreadable_outcome(world, a_completion(context, job))
    await an_ended_attempt(world, refused)
    await an_ended_attempt(world, good)
    assert await recorder.sweep() == 1
    assert await world.value("SELECT run_id FROM agent_execution_results") == good.run_id
    assert await recorder.sweep() == 0


async def test_a_result_outlives_its_job_and_not_its_context(world: World) -> None:
    recorder = await a_recorder(world)
    context, gone = await world.a_context(), await world.a_context()
    kept = a_completion(context, await world.a_job(context))
    dropped = a_completion(gone, await world.a_job(gone))
    await an_ended_attempt(world, kept)
    await world.sql("DELETE FROM scheduled_jobs WHERE id = :id", id=kept.job_id)
    await world.sql("DELETE FROM contexts WHERE id = :id", id=gone)
    assert await recorder.on_job_completed([kept, dropped]) == 1
    [row] = await world.sql("SELECT * FROM agent_execution_results")
    assert (row.run_id, row.schedule_id) == (kept.run_id, None)
    [recorded] = await said(world)
    assert recorded.job_id == kept.job_id


async def test_the_outcome_is_stored_in_columns_of_its_own(world: World) -> None:
    recorder = await a_recorder(world)
    context = await world.a_context()
    job = await world.a_job(context)
    outcome = ReportedOutcome(
        status="needs_attention", summary="Dis\0k full.", severity="critical", fingerprint="disk"
    )
    events = [
        a_completion(context, job, outcome=outcome),
        a_completion(context, job),
        a_completion(context, job, status="error", error_kind="timeout", error_message="x"),
    ]
    await recorder.on_job_completed(events)
    rows = await world.sql(
        "SELECT run_id, outcome_status, outcome_summary, outcome_severity, outcome_fingerprint"
        " FROM agent_execution_results"
    )
    stored = {row[0]: tuple(row[1:]) for row in rows}
    assert [stored[event.run_id] for event in events] == [
        ("needs_attention", "Disk full.", "critical", "disk"),
        ("changed", "", "info", ""),
        (None, "", None, ""),
    ]
