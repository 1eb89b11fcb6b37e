"""The style for small models: one sentence per fact, and the fact itself where the sentence is wrong."""

import json
from typing import Any

from tests.integration.executor.conftest import Stage

PREFETCH = [{"tool_name": "full", "mode": "prefetch"}]


async def report(stage: Stage, model: str, **columns: Any) -> Any:
    values: dict[str, Any] = {"style": "per_fact", "grounding": "numbers", "tools": PREFETCH}
    await stage.an_agent(model, **(values | columns))
    return await stage.ran("This is not asked.")


async def test_each_fact_becomes_a_sentence_and_what_is_urgent_comes_first(stage: Stage) -> None:
    completed = await report(stage, "scripted:rewrites")
    assert completed.content == (
        "! So: disk /data 97% full.\n! So: service ticker failed.\nSo: memory 12% used."
    )
    assert (completed.status, completed.warnings, completed.usage.requests) == ("success", [], 3)
    transcript = await stage.world.value("SELECT transcript FROM run_attempts")
    assert [message["role"] for message in json.loads(transcript)] == [
        "system",
        "tool",
        *["user", "assistant"] * 3,
    ]


async def test_a_sentence_with_other_numbers_is_replaced_by_its_fact(stage: Stage) -> None:
    completed = await report(stage, "scripted:says:The disk /data is 79% full.")
    assert completed.content == "! disk /data 97% full\n! service ticker failed\nmemory 12% used"
    assert completed.warnings == ["3 of 3 sentences are the plain facts."]
    assert completed.usage.requests == 9  # each was asked for three times


async def test_a_sentence_that_comes_right_when_asked_again_stands(stage: Stage) -> None:
    completed = await report(stage, "scripted:rewrites:when warm")
    assert completed.content.startswith("! So: disk /data 97% full.")
    assert (completed.warnings, completed.usage.requests) == ([], 6)


async def test_without_grounding_a_sentence_stands_as_it_is(stage: Stage) -> None:
    completed = await report(stage, "scripted:says:Fine.", grounding="none")
    assert completed.content == "! Fine.\n! Fine.\nFine."


async def test_a_failed_tool_is_reported_beside_the_facts(stage: Stage) -> None:
    tools = [*PREFETCH, {"tool_name": "broken", "mode": "prefetch"}]
    completed = await report(stage, "scripted:rewrites", tools=tools)
    assert "! the tool broken failed: the pump is jammed" in completed.content.splitlines()
    assert (completed.status, completed.usage.requests) == ("success", 3)


async def test_nothing_but_failed_tools_is_an_error(stage: Stage) -> None:
    completed = await report(stage, "scripted:rewrites", tools=[{"tool_name": "broken", "mode": "prefetch"}])
    assert (completed.status, completed.error_kind) == ("error", "tool_error")
    assert "the tool broken failed: the pump is jammed" in completed.error_message


async def test_an_agent_without_facts_is_told_to_link_tools(stage: Stage) -> None:
    completed = await report(stage, "scripted:rewrites", tools=[])
    assert (completed.error_kind, completed.usage.requests) == ("invalid_configuration", 0)
    assert "mode prefetch" in completed.error_message


async def test_a_model_that_fails_makes_the_report_an_error(stage: Stage) -> None:
    completed = await report(stage, "scripted:fail")
    assert (completed.status, completed.error_kind) == ("error", "model_error")
