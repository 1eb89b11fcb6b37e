"""Every way in which a run fails is a result that says what happened and what to do."""

import json
import socket
from collections.abc import Iterator

import pytest

from rota_contracts.events import JobCompleted
from tests.integration.executor.conftest import Stage
from tests.integration.executor.provider import Provider, provider


@pytest.fixture
def remote() -> Iterator[Provider]:
    with provider() as running:
        yield running


@pytest.fixture
def closed_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


async def asked(stage: Stage, url: str, model: str = "local:afar", **variables: str) -> JobCompleted:
    """A run on a model that is served at `url`."""
    await stage.an_agent(model)
    variables = {"EXECUTOR_LOCAL_MODEL_URL": url, "EXECUTOR_LOCAL_MODEL_KEY": "sesame-open", **variables}
    async with stage.executor(**variables):
        return await stage.completed(await stage.due())


def assert_for_people(completed: JobCompleted) -> str:
    """The message is one sentence or two, without traces or keys."""
    message = completed.error_message or ""
    assert completed.status == "error"
    assert message.endswith((".", ")."))
    assert "\n" not in message
    assert "Traceback" not in message
    assert "sesame" not in message
    return message


async def test_error_stored_and_returned(stage: Stage) -> None:
    await stage.an_agent("scripted:fail")
    async with stage.executor():
        event = await stage.due(max_retries=1)
        completed = await stage.completed(event)
    assert (completed.error_kind, completed.final, completed.content) == ("model_error", False, "")
    assert "HTTP status 500: the script says no" in assert_for_people(completed)
    row = await stage.attempt(event)
    assert row.state == "ended"
    outcome = json.loads(row.outcome)
    assert outcome["error_message"] == completed.error_message
    assert outcome["execution_duration_ms"] == completed.execution_duration_ms


async def test_the_last_retry_is_final(stage: Stage) -> None:
    await stage.an_agent("scripted:fail")
    assert (await stage.ran(max_retries=1, failures=1)).final is True


async def test_an_agent_that_does_not_exist_is_named(stage: Stage) -> None:
    completed = await stage.ran(agent_name="nobody", max_retries=3)
    assert (completed.error_kind, completed.final) == ("agent_not_found", True)
    assert assert_for_people(completed) == (
        "The agent 'nobody' does not exist in this context; create it or name another one in the job."
    )


async def test_the_agent_of_another_context_is_not_found(stage: Stage) -> None:
    other = await stage.world.a_context()
    await stage.world.an_agent(name="tester", context_id=other)
    assert (await stage.ran()).error_kind == "agent_not_found"


async def test_the_context_has_its_own_agent_before_the_systems(stage: Stage) -> None:
    await stage.world.an_agent(name="tester", model="scripted:fail")
    await stage.an_agent("scripted:noop")
    assert (await stage.ran()).status == "success"


async def test_the_systems_agent_serves_a_context_without_its_own(stage: Stage) -> None:
    await stage.world.an_agent(name="tester", model="scripted:noop")
    assert (await stage.ran()).status == "success"


async def test_a_run_is_stopped_at_the_jobs_timeout(stage: Stage) -> None:
    await stage.an_agent("scripted:slow")
    completed = await stage.ran("sleep 60", timeout_seconds=1)
    assert completed.error_kind == "timeout"
    assert assert_for_people(completed) == "The run was stopped after 1 s, the job's timeout."
    assert 1000 <= completed.execution_duration_ms < 10_000


async def test_a_model_that_never_answers_is_left_at_the_jobs_timeout(stage: Stage, remote: Provider) -> None:
    remote.hangs = True
    await stage.an_agent("local:afar")
    async with stage.executor(EXECUTOR_LOCAL_MODEL_URL=remote.url):
        event = await stage.due(timeout_seconds=4)  # the first use of a client library takes up to a second
        completed = await stage.completed(event)
    assert completed.error_kind == "timeout"
    assert len(remote.requests) == 1
    row = await stage.attempt(event)
    assert json.loads(row.transcript)[-1] == {"position": 2, "role": "user", "content": "Do it."}


async def test_a_model_that_cannot_be_reached_is_named_with_its_address(
    stage: Stage, closed_port: int
) -> None:
    completed = await asked(stage, f"http://127.0.0.1:{closed_port}/v1")
    assert completed.error_kind == "model_unavailable"
    message = assert_for_people(completed)
    assert f"'local:afar' cannot be reached at http://127.0.0.1:{closed_port}/v1" in message
    assert "start the local model" in message


@pytest.mark.parametrize(
    ("status", "said", "told"),
    [
        (429, "slow down", "takes no more requests now (HTTP status 429: slow down); wait"),
        (500, "out of memory", "failed (HTTP status 500: out of memory); try again later"),
        (400, "bad", "refused the request (HTTP status 400: bad)"),
    ],
)
async def test_what_a_provider_answers_is_told(
    stage: Stage, remote: Provider, status: int, said: str, told: str
) -> None:
    remote.status, remote.message = status, said
    completed = await asked(stage, remote.url)
    assert completed.error_kind == "model_error"
    assert told in assert_for_people(completed)


async def test_a_model_that_answers_gets_key_prompt_and_examples(stage: Stage, remote: Provider) -> None:
    await stage.an_agent(
        "local:afar",
        examples=[{"input": "Ping.", "output": "Pong."}],
        model_settings={"temperature": 0.25, "max_tokens": 7},
    )
    async with stage.executor(EXECUTOR_LOCAL_MODEL_URL=remote.url, EXECUTOR_LOCAL_MODEL_KEY="sesame"):
        completed = await stage.completed(await stage.due())
    assert (completed.content, completed.model) == ("Hello from afar.", "local:afar")
    assert (completed.usage.input_tokens, completed.usage.output_tokens) == (11, 5)
    assert remote.keys == ["Bearer sesame"]
    (request,) = remote.requests
    assert [(message["role"], message["content"]) for message in request["messages"]] == [
        ("system", "Be brief."),
        ("user", "Ping."),
        ("assistant", "Pong."),
        ("user", "Do it."),
    ]
    assert request["temperature"] == 0.25
    assert 7 in {request.get("max_tokens"), request.get("max_completion_tokens")}


async def test_a_compatible_server_serves_the_models_of_openai(
    stage: Stage, remote: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", remote.url)
    completed = await asked(stage, "http://unused.invalid", "openai:any", OPENAI_BASE_URL=remote.url)
    assert completed.content == "Hello from afar."


async def test_a_local_model_without_a_server_says_how_to_get_one(stage: Stage) -> None:
    await stage.an_agent("local:afar")
    completed = await stage.ran(max_retries=3)
    assert (completed.error_kind, completed.final) == ("blocked", True)
    assert "EXECUTOR_LOCAL_MODEL_URL" in assert_for_people(completed)


@pytest.mark.parametrize("model", ["nonsense", "nonsense:model"])
async def test_a_model_of_an_unknown_name_is_a_mistake_in_the_configuration(stage: Stage, model: str) -> None:
    await stage.an_agent(model)
    completed = await stage.ran()
    assert completed.error_kind == "invalid_configuration"
    assert f"The model '{model}' cannot be used" in assert_for_people(completed)


@pytest.mark.parametrize(
    ("model", "variable"),
    [
        ("anthropic:claude-sonnet-4-5", "ANTHROPIC_API_KEY"),
        ("openai:gpt-5", "OPENAI_API_KEY"),
        ("openai-chat:gpt-5", "OPENAI_API_KEY"),
        ("ollama:qwen3", "OLLAMA_BASE_URL"),
    ],
)
async def test_a_model_without_its_key_or_address_says_which_variable_is_missing(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, model: str, variable: str
) -> None:
    for name in ("ANTHROPIC_API_KEY", "OPENAI_API_KEY", "OPENAI_BASE_URL", "OLLAMA_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    await stage.an_agent(model)
    completed = await stage.ran()
    assert (completed.error_kind, completed.error_cause) == ("blocked", variable)
    assert f"{variable} is not set for the executor" in assert_for_people(completed)


async def test_the_next_model_answers_when_the_first_fails(stage: Stage, remote: Provider) -> None:
    remote.status = 500
    await stage.an_agent("local:afar", fallback_models=["scripted:noop"])
    async with stage.executor(EXECUTOR_LOCAL_MODEL_URL=remote.url):
        completed = await stage.completed(await stage.due())
    assert (completed.status, completed.model) == ("success", "scripted:noop")


async def test_when_no_model_answers_each_is_told(stage: Stage, remote: Provider, closed_port: int) -> None:
    remote.status, remote.message = 500, "out of order"
    await stage.an_agent("local:afar", fallback_models=["scripted:fail"])
    async with stage.executor(EXECUTOR_LOCAL_MODEL_URL=remote.url):
        completed = await stage.completed(await stage.due())
    message = assert_for_people(completed)
    assert completed.error_kind == "model_error"
    assert "out of order" in message
    assert "the script says no" in message


async def test_a_configuration_that_cannot_be_understood_says_where(stage: Stage) -> None:
    await stage.an_agent(examples=[{"question": "?"}])
    completed = await stage.ran()
    assert completed.error_kind == "invalid_configuration"
    assert "$.examples[0]" in assert_for_people(completed)


async def test_one_bad_agent_does_not_disturb_the_runs_beside_it(stage: Stage) -> None:
    await stage.an_agent()
    await stage.world.an_agent(name="bad", context_id=stage.context_id, model="nonsense")
    events = [await stage.due(agent_name=name, publish=False) for name in ("tester", "bad", "nobody")]
    await stage.ticker.publish(events)
    async with stage.executor():
        ends = [await stage.completed(event) for event in events]
    assert [end.error_kind for end in ends] == [None, "invalid_configuration", "agent_not_found"]
