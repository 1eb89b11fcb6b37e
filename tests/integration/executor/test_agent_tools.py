"""Tools of an agent: always behind the approval wrapper, or not at all."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from rota_executor.adapters import approval
from rota_executor.adapters.approval import Guard
from rota_executor.adapters.registry import Tool
from tests.integration.executor import toolbox
from tests.integration.executor.conftest import Stage


@pytest.fixture(autouse=True)
def _no_calls() -> None:
    toolbox.calls.clear()


def link(name: str, **columns: Any) -> Mapping[str, Any]:
    return {"tool_name": name, **columns}


async def test_a_tool_is_called_by_the_model(stage: Stage) -> None:
    await stage.an_agent("scripted:calls:recorded", tools=[link("recorded")])
    completed = await stage.ran()
    assert (completed.status, completed.content) == ("success", "the answer is 42")
    assert (completed.usage.tool_calls, completed.warnings) == (1, [])
    assert toolbox.calls == [{}]


async def test_tools_wrapped_with_approval(stage: Stage) -> None:
    """A tool that asks is not executed: the run ends with a pending action."""
    await stage.an_agent("scripted:calls:recorded", tools=[link("recorded", policy="ask")])
    async with stage.executor():
        event = await stage.due()
        completed = await stage.completed(event)
    assert (completed.status, completed.final, completed.content) == ("partial", True, "Let me look.")
    (action,) = completed.pending_actions
    assert (action.tool_name, action.arguments, action.reason) == ("recorded", {}, "Let me look.")
    assert action.tool_call_id
    assert toolbox.calls == []
    row = await stage.attempt(event)
    assert "recorded({})" in [one["content"] for one in json.loads(row.transcript)]


async def test_a_tool_that_is_denied_is_not_run_and_the_model_is_told(stage: Stage) -> None:
    await stage.an_agent("scripted:calls:recorded", tools=[link("recorded", policy="deny")])
    completed = await stage.ran()
    assert completed.status == "success"
    assert completed.content == "The tool 'recorded' is not allowed for this agent. Go on without it."
    assert toolbox.calls == []


async def test_a_tool_that_writes_asks_unless_its_link_says_more(stage: Stage) -> None:
    await stage.an_agent("scripted:calls:writing", tools=[link("writing")])
    async with stage.executor():
        asked = await stage.completed(await stage.due())
        await stage.world.sql("UPDATE agent_tools SET policy = 'auto'")
        allowed = await stage.completed(await stage.due())
    assert (asked.status, [action.tool_name for action in asked.pending_actions]) == ("partial", ["writing"])
    assert (allowed.status, allowed.content) == ("success", "written")
    assert toolbox.calls == [{}]


async def test_a_tool_that_fails_is_told_to_the_model_and_the_run_goes_on(stage: Stage) -> None:
    await stage.an_agent("scripted:calls:broken", tools=[link("broken")])
    completed = await stage.ran()
    assert completed.content == "The tool 'broken' failed: the pump is jammed"


async def test_a_tool_that_takes_too_long_is_told_to_the_model(stage: Stage) -> None:
    await stage.an_agent("scripted:calls:hanging", tools=[link("hanging")])
    async with stage.executor(EXECUTOR_TOOL_TIMEOUT_SECONDS="0.2"):
        completed = await stage.completed(await stage.due())
    assert completed.content == "The tool 'hanging' failed: it did not answer within 0.2 s"


async def test_a_tool_that_cannot_be_wrapped_is_left_out_with_a_warning(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Safer than to go on with it unwrapped; the other tools stay."""
    wrapped = approval.wrapped

    def failing(tool: Tool, guard: Guard) -> approval.ApprovalToolset:
        if tool.description.name == "broken":
            raise RuntimeError("no approval system")
        return wrapped(tool, guard)

    monkeypatch.setattr(approval, "wrapped", failing)
    await stage.an_agent("scripted:calls:recorded", tools=[link("broken"), link("recorded")])
    completed = await stage.ran()
    assert (completed.status, completed.content) == ("success", "the answer is 42")
    assert completed.warnings == [
        "The tool 'broken' could not be put under approval (no approval system); the run went on without it."
    ]


async def test_a_tool_that_the_executor_does_not_have_is_left_out_with_a_warning(stage: Stage) -> None:
    await stage.an_agent(tools=[link("of_tomorrow"), link("of_yesterday", mode="prefetch")])
    completed = await stage.ran()
    assert completed.status == "success"
    assert [warning.split("'")[1] for warning in completed.warnings] == ["of_yesterday", "of_tomorrow"]


async def test_prefetched_tools_run_before_the_model_and_are_handed_over(stage: Stage) -> None:
    await stage.an_agent(
        "scripted:echo",
        tools=[link("full", mode="prefetch"), link("recorded", mode="prefetch", arguments={"a": 1})],
    )
    completed = await stage.ran("How is it?")
    assert completed.content == (
        "How is it?\n\nFacts:\n! disk /data 97% full\n! service ticker failed\n"
        "memory 12% used\nthe answer is 42"
    )
    assert toolbox.calls == [{"a": 1}]
    assert completed.prompt == "How is it?"


async def test_a_prefetched_tool_that_fails_is_a_fact_and_a_warning(stage: Stage) -> None:
    await stage.an_agent("scripted:echo", tools=[link("broken", mode="prefetch")])
    completed = await stage.ran("Go.")
    assert completed.status == "success"
    assert completed.content == "Go.\n\nFacts:\n! the tool broken failed: the pump is jammed"
    assert completed.warnings == ["The tool broken failed: the pump is jammed."]


async def test_a_prefetched_tool_that_is_denied_does_not_run(stage: Stage) -> None:
    await stage.an_agent("scripted:noop", tools=[link("recorded", mode="prefetch", policy="deny")])
    completed = await stage.ran()
    assert completed.warnings == ["The tool recorded failed: it is not allowed."]
    assert toolbox.calls == []


async def test_a_blocking_tool_does_not_hold_up_the_others(stage: Stage) -> None:
    """It blocks a thread; the lease of its run goes on being renewed."""
    await stage.an_agent(
        "scripted:noop", tools=[link("blocking", mode="prefetch", arguments={"seconds": 2.5})]
    )
    async with stage.executor(EXECUTOR_LEASE_SECONDS="1"):
        completed = await stage.completed(await stage.due())
    assert (completed.status, completed.warnings) == ("success", [])


async def test_an_answer_may_hold_the_numbers_of_prompt_and_tools(stage: Stage) -> None:
    await stage.an_agent("scripted:calls:recorded", grounding="numbers", tools=[link("recorded")])
    assert (await stage.ran()).content == "the answer is 42"


async def test_an_answer_with_numbers_from_nowhere_is_an_error(stage: Stage) -> None:
    await stage.an_agent("scripted:says:It is 99 degrees.", grounding="numbers")
    completed = await stage.ran("Say 98.")
    assert (completed.status, completed.error_kind, completed.content) == ("error", "model_error", "")
    assert "stand neither in the prompt nor in what a tool said (99)" in (completed.error_message or "")
    assert completed.usage.requests == 3


async def test_a_prompt_may_be_empty(stage: Stage) -> None:
    await stage.an_agent()
    completed = await stage.ran("")
    assert (completed.status, completed.prompt) == ("success", "")
