"""Spans of a run, as a collector gets them."""

import json
import subprocess
import sys
from collections.abc import Iterator

import pytest

from rota_cli.local.port import free_port
from rota_contracts.events import JobDue
from tests.integration.executor.conftest import Stage
from tests.integration.executor.provider import provider
from tests.integration.executor.test_credentials import a_credential
from tests.support.collector import Collector, Span, collector

LINKS = [{"tool_name": "recorded", "mode": "model", "arguments": {}}]
SCRIPT = json.dumps([["recorded", {"where": "under the mat"}], "It is a quiet answer."])


@pytest.fixture
def receiver() -> Iterator[Collector]:
    with collector() as running:
        yield running


async def ran(stage: Stage, receiver: Collector, **variables: str) -> JobDue:
    """A run; its spans are at the collector when the executor has ended."""
    async with stage.executor(OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url, **variables):
        due = await stage.due("A quiet question.")
        await stage.completed(due)
    return due


def children(receiver: Collector, parent: Span) -> list[str]:
    return sorted(span.name for span in receiver.spans if span.parent_id == parent.span_id)


async def test_the_run_its_agent_and_each_call_are_spans_of_the_trace_that_made_it_due(
    stage: Stage, receiver: Collector
) -> None:
    await stage.an_agent(f"scripted:plays:{SCRIPT}", tools=LINKS)
    due = await ran(stage, receiver, OTEL_EXPORTER_OTLP_HEADERS="x-team=rota")
    assert {span.trace_id for span in receiver.spans} == {due.trace_id.hex}
    assert {span.service for span in receiver.spans} == {"rota-executor"}
    [run] = receiver.named("run")
    [said] = receiver.named("job.due")
    assert (said.parent_id, said.span_id) == ("", run.parent_id)
    assert said.began <= run.began <= said.began + 60 * 10**9
    assert said.attributes["rota.run_id"] == str(due.run_id)
    assert run.attributes["rota.run_id"] == str(due.run_id)
    assert run.attributes["rota.attempt"] == 1
    assert not run.is_error
    [agent] = receiver.named("invoke_agent")
    assert (agent.name, agent.parent_id) == ("invoke_agent tester", run.span_id)
    assert [name.split()[0] for name in children(receiver, agent)] == ["chat", "chat", "execute_tool"]
    for call in receiver.named("chat"):
        assert call.attributes["gen_ai.operation.name"] == "chat"
        assert call.attributes["gen_ai.usage.output_tokens"] > 0
    [tool] = receiver.named("execute_tool")
    assert tool.attributes["gen_ai.tool.name"] == "recorded"
    assert receiver.headers[0]["x-team"] == "rota"


async def test_each_span_but_the_root_of_each_attempt_has_its_parent(
    stage: Stage, receiver: Collector
) -> None:
    await stage.an_agent("scripted:fail", tools=LINKS)
    async with stage.executor(OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url):
        due = await stage.due(max_retries=1)
        await stage.completed(due)
        await stage.world.sql("UPDATE occurrences SET attempt = 2 WHERE run_id = :r", r=due.run_id)
        await stage.completed(await stage.due(run_id=due.run_id, attempt=2, max_retries=1))
    known = {span.span_id for span in receiver.spans}
    roots = [span for span in receiver.spans if span.parent_id not in known]
    assert [(span.name, span.parent_id, span.trace_id) for span in roots] == [
        ("job.due", "", due.trace_id.hex)
    ] * 2
    assert [span.attributes["rota.attempt"] for span in roots] == [1, 2]


async def test_no_word_of_what_was_asked_or_said_is_in_a_span(stage: Stage, receiver: Collector) -> None:
    await stage.an_agent("scripted:calls:recorded", tools=LINKS, system_prompt="Quiet instructions.")
    await ran(stage, receiver)
    told = "".join(span.text for span in receiver.spans)
    assert "execute_tool recorded" in told
    for word in ("quiet question", "Quiet instructions", "Let me look", "the answer is 42"):
        assert word not in told


async def test_with_content_they_are(stage: Stage, receiver: Collector) -> None:
    await stage.an_agent("scripted:calls:recorded", tools=LINKS)
    await ran(stage, receiver, EXECUTOR_TRACE_CONTENT="true")
    told = "".join(span.text for span in receiver.spans)
    for word in ("quiet question", "Let me look", "the answer is 42"):
        assert word in told


async def test_a_secret_is_in_no_span_also_where_a_tool_failed_with_it(
    stage: Stage, receiver: Collector
) -> None:
    await a_credential(stage, "greenhouse", "secret", {"value": "open-sesame-77"})
    links = [{"tool_name": "failing_with_secret", "mode": "model", "arguments": {}}]
    await stage.an_agent("scripted:calls:failing_with_secret", tools=links)
    await ran(stage, receiver, EXECUTOR_TRACE_CONTENT="true")
    told = "".join(span.text for span in receiver.spans)
    assert "refused: [redacted]" in told
    assert "open-sesame-77" not in told


async def test_what_a_provider_says_when_it_fails_is_told_without_secrets(
    stage: Stage, receiver: Collector
) -> None:
    await a_credential(stage, "greenhouse", "secret", {"value": "open-sesame-77"})
    links = [{"tool_name": "telling", "mode": "prefetch", "arguments": {}}]
    await stage.an_agent("local:afar", tools=links)
    with provider() as remote:
        remote.status = 401
        remote.message = "Incorrect key sk-abcdef0123456, and what was it about open-sesame-77?"
        await ran(stage, receiver, EXECUTOR_TRACE_CONTENT="true", EXECUTOR_LOCAL_MODEL_URL=remote.url)
    told = "".join(span.text for span in receiver.spans)
    assert "exception.stacktrace" in told
    assert "Incorrect key [redacted], and what was it about [redacted]?" in told
    assert "sk-abc" not in told
    assert "open-sesame" not in told
    [run] = receiver.named("run")
    assert children(receiver, run) == ["invoke_agent tester"]


async def test_an_error_is_told_by_its_kind_alone(stage: Stage, receiver: Collector) -> None:
    await stage.an_agent("scripted:fail")
    await ran(stage, receiver)
    [run] = receiver.named("run")
    assert (run.is_error, run.attributes["error.type"]) == (True, "model_error")
    assert [span.name for span in receiver.spans if not span.is_error] == ["job.due"]
    assert "the script says no" not in "".join(span.text for span in receiver.spans)


async def test_sentences_about_facts_are_calls_too(stage: Stage, receiver: Collector) -> None:
    links = [{"tool_name": "full", "mode": "prefetch", "arguments": {}}]
    await stage.an_agent("scripted:rewrites", style="per_fact", tools=links)
    await ran(stage, receiver)
    [run] = receiver.named("run")
    assert children(receiver, run) == ["invoke_agent tester"] * 3
    assert len(receiver.named("chat")) == 3


async def test_a_run_does_not_wait_for_a_collector_that_is_not_there(stage: Stage) -> None:
    await stage.an_agent()
    async with stage.executor(OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{free_port()}"):
        due = await stage.due()
        completed = await stage.completed(due)
    assert completed.status == "success"
    assert completed.execution_duration_ms < 3_000


async def test_without_an_endpoint_nothing_is_made(stage: Stage, receiver: Collector) -> None:
    await stage.an_agent()
    assert (await stage.ran()).status == "success"
    assert receiver.headers == []


def test_what_makes_spans_is_not_imported_before_it_is_needed() -> None:
    code = (
        "import sys, rota_executor.service; "
        "print([name for name in sys.modules if name.startswith('opentelemetry.sdk')])"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"
