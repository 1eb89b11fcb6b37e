"""A run that waits for a person: what is kept, and how another executor goes on from there."""

import json
from typing import Any
from uuid import uuid4

import pytest

from rota_contracts.events import JobCompleted, JobDue
from tests.integration.executor import toolbox
from tests.integration.executor.conftest import Stage


@pytest.fixture(autouse=True)
def no_calls() -> None:
    toolbox.calls.clear()


async def parked(stage: Stage, tool: str = "writing", kind: str = "scripted") -> tuple[JobDue, JobCompleted]:
    """A run whose only call waits."""
    await stage.an_agent(
        f"{kind}:calls:{tool}",
        tools=[{"tool_name": tool, "mode": "model", "policy": "ask", "arguments": {}}],
    )
    async with stage.executor():
        due = await stage.due()
        ended = await stage.completed(due)
    assert (ended.status, len(ended.pending_actions)) == ("partial", 1)
    assert toolbox.calls == []
    return due, ended


async def decided(
    stage: Stage,
    due: JobDue,
    ended: JobCompleted,
    decision: str | None,
    expiry_action: str = "deny",
    **columns: Any,
) -> None:
    """What results and the gateway write, and what the ticker does with it."""
    [call] = ended.pending_actions
    action = uuid4()
    await stage.world.sql(
        """
        INSERT INTO agent_execution_results
            (run_id, context_id, job_name, agent_name, prompt, status, execution_duration_ms, attempt,
             trigger, session_id, scheduled_for, started_at, completed_at)
        VALUES (:run, :context, 'a', 'b', 'c', 'partial', 1, 1, 'manual', :run, now(), now(), now())
        """,
        run=due.run_id,
        context=due.context_id,
    )
    await stage.world.sql(
        "INSERT INTO pending_actions (id, context_id, run_id, tool_call_id, tool_name, expiry_action)"
        " VALUES (:id, :context, :run, :call, :tool, :action)",
        action=expiry_action,
        id=action,
        context=due.context_id,
        run=due.run_id,
        call=call.tool_call_id,
        tool=call.tool_name,
    )
    if decision:
        values = {"note": "", "arguments": None, **columns}
        await stage.world.sql(
            "INSERT INTO approval_decisions (action_id, run_id, context_id, decision, arguments, note)"
            " VALUES (:id, :run, :context, :decision, CAST(:arguments AS jsonb), :note)",
            id=action,
            run=due.run_id,
            context=due.context_id,
            decision=decision,
            **values,
        )
    await stage.world.sql(
        "UPDATE occurrences SET attempt = 2, resumes = 1, state = 'dispatched' WHERE run_id = :run",
        run=due.run_id,
    )


async def resumed(stage: Stage, due: JobDue, attempt: int = 2) -> JobCompleted:
    async with stage.executor():
        return await stage.completed(await stage.due(run_id=due.run_id, attempt=attempt, resumes=1))


async def test_an_approved_call_is_made_by_another_executor_and_the_run_goes_on(stage: Stage) -> None:
    due, ended = await parked(stage)
    await decided(stage, due, ended, "approved")
    done = await resumed(stage, due)
    assert (done.status, done.content, done.error_message) == ("success", "written", None)
    assert toolbox.calls == [{}]
    assert done.usage.requests == 2
    [row] = await stage.world.sql("SELECT attempt, state FROM tool_effects")
    assert tuple(row) == (2, "done")
    roles = [one["role"] for one in await transcript(stage, due, 2)]
    assert roles == ["system", "user", "assistant", "assistant", "tool", "assistant"]


async def test_what_it_cost_before_counts_on(stage: Stage) -> None:
    """The run as a whole has cost both; each attempt tells what it spent itself."""
    due, ended = await parked(stage, kind="paid")
    await decided(stage, due, ended, "approved")
    done = await resumed(stage, due)
    before, whole = ended.usage.cost_usd, done.usage.cost_usd
    [own] = done.model_usage
    assert before
    assert whole
    assert own.cost_usd
    assert whole == before + own.cost_usd
    assert (done.usage.requests, own.requests) == (2, 1)


async def test_edited_arguments_take_the_place_of_those_of_the_model(stage: Stage) -> None:
    due, ended = await parked(stage)
    await decided(stage, due, ended, "approved", arguments='{"to": "bob"}')
    assert (await resumed(stage, due)).status == "success"
    assert toolbox.calls == [{"to": "bob"}]


async def test_a_denied_call_is_not_made_and_the_model_reads_the_note(stage: Stage) -> None:
    due, ended = await parked(stage)
    await decided(stage, due, ended, "denied", note="not on Sundays")
    done = await resumed(stage, due)
    assert done.status == "success"
    assert "not on Sundays" in str(done.content)
    assert toolbox.calls == []


async def test_what_nobody_decided_upon_counts_as_denied(stage: Stage) -> None:
    due, ended = await parked(stage)
    await decided(stage, due, ended, None)
    done = await resumed(stage, due)
    assert "in time" in str(done.content)
    assert toolbox.calls == []


async def test_a_job_that_is_to_fail_then_fails_and_nothing_more_of_it_is_done(stage: Stage) -> None:
    """Not even the call beside it that was approved."""
    due, ended = await parked(stage)
    await decided(stage, due, ended, None, expiry_action="fail")
    await stage.world.sql(
        "INSERT INTO pending_actions (context_id, run_id, tool_call_id, tool_name, expiry_action)"
        " VALUES (:context, :run, 'beside', 'other', 'fail')",
        context=due.context_id,
        run=due.run_id,
    )
    await stage.world.sql(
        "INSERT INTO approval_decisions (action_id, run_id, context_id, decision)"
        " SELECT id, run_id, context_id, 'approved' FROM pending_actions WHERE tool_call_id = 'beside'"
    )
    done = await resumed(stage, due)
    assert (done.status, done.error_kind, done.final) == ("error", "approval_expired", True)
    assert "'writing'" in (done.error_message or "")
    assert "'other'" not in (done.error_message or "")
    assert (toolbox.calls, done.usage.requests) == ([], 0)


async def test_a_job_that_is_to_fail_goes_on_when_it_was_decided_upon(stage: Stage) -> None:
    due, ended = await parked(stage)
    await decided(stage, due, ended, "denied", expiry_action="fail")
    assert (await resumed(stage, due)).status == "success"


async def test_without_what_it_kept_the_run_ends_with_an_error(stage: Stage) -> None:
    due, ended = await parked(stage)
    await decided(stage, due, ended, "approved")
    await stage.world.sql("UPDATE run_attempts SET checkpoint = NULL")
    done = await resumed(stage, due)
    assert (done.status, done.error_kind, done.final) == ("error", "interrupted", True)
    assert toolbox.calls == []


async def test_what_was_interrupted_after_an_approved_call_had_begun_is_not_repeated(stage: Stage) -> None:
    due, ended = await parked(stage)
    await decided(stage, due, ended, "approved")
    await stage.world.sql(
        "INSERT INTO tool_effects (run_id, attempt, call_id, context_id, tool_name, state)"
        " VALUES (:run, 2, 'a', :context, 'writing', 'started')",
        run=due.run_id,
        context=due.context_id,
    )
    await stage.world.sql("UPDATE occurrences SET attempt = 3 WHERE run_id = :run", run=due.run_id)
    done = await resumed(stage, due, attempt=3)
    assert (done.status, done.error_kind) == ("error", "interrupted")
    assert toolbox.calls == []


async def test_an_approved_call_that_took_effect_by_a_persons_word_is_gone_on_after(stage: Stage) -> None:
    due, ended = await parked(stage)
    await decided(stage, due, ended, "approved")
    await stage.world.sql(
        "WITH begun AS (INSERT INTO tool_effects"
        " (run_id, attempt, call_id, context_id, tool_name, state, arguments)"
        " VALUES (:run, 2, 'a', :context, 'writing', 'started', '{}') RETURNING id)"
        " INSERT INTO effect_decisions (effect_id, run_id, context_id, decision)"
        " SELECT id, :run, :context, 'confirmed' FROM begun",
        run=due.run_id,
        context=due.context_id,
    )
    await stage.world.sql(
        "INSERT INTO run_resumptions (run_id, attempt, context_id, scheduled_for)"
        " VALUES (:run, 3, :context, now())",
        run=due.run_id,
        context=due.context_id,
    )
    await stage.world.sql("UPDATE occurrences SET attempt = 4 WHERE run_id = :run", run=due.run_id)
    done = await resumed(stage, due, attempt=4)
    assert done.status == "success"
    assert "made already" in str(done.content)
    assert toolbox.calls == []


async def test_what_was_written_before_it_parked_does_not_hold_it_back(stage: Stage) -> None:
    due, ended = await parked(stage)
    await decided(stage, due, ended, "approved")
    await stage.world.sql(
        "INSERT INTO tool_effects (run_id, attempt, call_id, context_id, tool_name, state)"
        " VALUES (:run, 1, 'a', :context, 'writing', 'done')",
        run=due.run_id,
        context=due.context_id,
    )
    assert (await resumed(stage, due)).status == "success"


async def transcript(stage: Stage, due: JobDue, attempt: int) -> list[dict[str, str]]:
    text = await stage.world.value(
        "SELECT CAST(transcript AS text) FROM run_attempts WHERE run_id = :run AND attempt = :attempt",
        run=due.run_id,
        attempt=attempt,
    )
    found: list[dict[str, str]] = json.loads(text)
    return found
