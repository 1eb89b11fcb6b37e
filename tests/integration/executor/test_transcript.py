"""The record of a run: every call of the model and of tools, with its time and its tokens."""

import json
from datetime import datetime
from typing import Any

import pytest

from rota_contracts.events import JobDue
from tests.integration.executor import toolbox
from tests.integration.executor.conftest import Stage
from tests.integration.executor.provider import Provider, Reply, provider
from tests.integration.executor.test_resuming import decided, parked, resumed


@pytest.fixture
def remote() -> Any:
    with provider() as running:
        yield running


async def kept(stage: Stage, due: JobDue, attempt: int = 1) -> list[dict[str, Any]]:
    text = await stage.world.value(
        "SELECT CAST(transcript AS text) FROM run_attempts WHERE run_id = :run AND attempt = :attempt",
        run=due.run_id,
        attempt=attempt,
    )
    found: list[dict[str, Any]] = json.loads(text)
    return found


async def ran(stage: Stage, **variables: str) -> list[dict[str, Any]]:
    async with stage.executor(**variables):
        due = await stage.due()
        await stage.completed(due)
    return await kept(stage, due)


async def test_each_call_has_its_time_and_the_tool_its_arguments_and_status(stage: Stage) -> None:
    script = json.dumps([["blocking", {"seconds": 0.3}], ["broken", {}], "Done."])
    links: list[dict[str, Any]] = [{"tool_name": name, "mode": "model"} for name in ("blocking", "broken")]
    await stage.an_agent(f"scripted:plays:{script}", tools=links)
    entries = await ran(stage)
    assert [one["position"] for one in entries] == list(range(1, 8))
    assert [(one["role"], one.get("tool_name"), one.get("status")) for one in entries] == [
        ("system", None, None),
        ("user", None, None),
        ("assistant", "blocking", None),
        ("tool", "blocking", "success"),
        ("assistant", "broken", None),
        ("tool", "broken", "failed"),
        ("assistant", None, None),
    ]
    asked, answered = entries[2:4]
    assert (asked["arguments"], asked["tool_call_id"]) == ({"seconds": 0.3}, answered["tool_call_id"])
    assert 300 <= answered["duration_ms"] < 10_000
    assert asked["duration_ms"] < answered["duration_ms"]
    calls = [entry for entry in entries if "started_at" in entry]
    assert len(calls) == 5
    begun = [datetime.fromisoformat(call["started_at"]) for call in calls]
    assert begun == sorted(begun)
    assert all(call["output_tokens"] > 0 for call in calls if call["role"] == "assistant")


async def test_a_model_over_http_is_asked_for_a_stream_and_its_tokens_are_kept(
    stage: Stage, remote: Provider
) -> None:
    remote.replies = [Reply(slow=0.3)]
    await stage.an_agent("local:afar")
    entries = await ran(stage, EXECUTOR_LOCAL_MODEL_URL=remote.url)
    answer = entries[-1]
    assert remote.requests[0]["stream"] is True
    assert (answer["content"], answer["model"]) == (remote.text, "afar")
    assert (answer["input_tokens"], answer["output_tokens"]) == (11, 5)
    assert answer["duration_ms"] >= 300


async def test_what_was_measured_before_a_run_parked_is_kept_when_it_goes_on(stage: Stage) -> None:
    toolbox.calls.clear()
    due, ended = await parked(stage)
    before = await kept(stage, due)
    await decided(stage, due, ended, "approved")
    await resumed(stage, due)
    after = await kept(stage, due, 2)
    assert after[: len(before)] == before
    [result] = [one for one in after[len(before) :] if one["role"] == "tool"]
    assert (result["tool_name"], result["status"]) == ("writing", "success")
    assert result["duration_ms"] >= 0
    assert datetime.fromisoformat(result["started_at"]) > datetime.fromisoformat(before[2]["started_at"])


async def test_a_denied_call_says_so(stage: Stage) -> None:
    toolbox.calls.clear()
    due, ended = await parked(stage)
    await decided(stage, due, ended, "denied")
    await resumed(stage, due)
    assert [one["status"] for one in await kept(stage, due, 2) if one["role"] == "tool"] == ["denied"]


async def test_facts_and_sentences_have_their_time_and_tokens(stage: Stage) -> None:
    links: list[dict[str, Any]] = [{"tool_name": "full", "mode": "prefetch", "arguments": {}}]
    await stage.an_agent("scripted:rewrites", style="per_fact", tools=links)
    entries = await ran(stage)
    assert (entries[1]["tool_name"], entries[1]["status"]) == ("full", "success")
    sentences = [one for one in entries if one["role"] == "assistant"]
    assert len(sentences) == 3
    assert all(one["output_tokens"] > 0 and "duration_ms" in one for one in sentences)
