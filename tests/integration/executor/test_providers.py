"""Providers of models that fail: what passes is waited for, what blocks is said, another model is asked."""

from collections.abc import Iterator
from decimal import Decimal

import pytest

from rota_contracts.events import JobCompleted
from rota_prices import price_of
from tests.integration.executor.conftest import Stage
from tests.integration.executor.provider import Provider, Reply, provider
from tests.integration.executor.test_errors import asked, assert_for_people

SOON = {"retry-after-ms": "200"}


@pytest.fixture
def remote(monkeypatch: pytest.MonkeyPatch) -> Iterator[Provider]:
    """A provider that is taken for each of those that cost money."""
    with provider() as running:
        monkeypatch.setenv("OPENAI_API_KEY", "sesame-open")
        monkeypatch.setenv("OPENAI_BASE_URL", running.url)
        monkeypatch.setenv("ANTHROPIC_API_KEY", "sesame-open")
        monkeypatch.setenv("ANTHROPIC_BASE_URL", running.url.removesuffix("/v1"))
        yield running


async def ran(stage: Stage, model: str, **columns: object) -> JobCompleted:
    await stage.an_agent(model, **columns)
    async with stage.executor():
        return await stage.completed(await stage.due(max_retries=1))


@pytest.mark.parametrize("model", ["anthropic:claude-sonnet-5-5", "openai-chat:gpt-5"])
@pytest.mark.parametrize(
    "reply",
    [
        Reply(429, SOON),
        Reply(529, SOON),
        Reply(500),
        Reply(503, {"retry-after": "1"}),
        Reply(breaks=True),
    ],
    ids=["429", "529", "500", "503", "broken"],
)
async def test_what_passes_is_waited_for(stage: Stage, remote: Provider, model: str, reply: Reply) -> None:
    remote.replies = [reply]
    completed = await ran(stage, model)
    assert (completed.content, completed.error_message) == ("Hello from afar.", None)
    assert len(remote.requests) == 2
    assert completed.usage.requests == 1
    assert "sesame-open" in str(remote.keys[-1])


async def test_an_answer_that_comes_slowly_is_waited_for(stage: Stage, remote: Provider) -> None:
    remote.replies = [Reply(slow=0.5)]
    assert (await ran(stage, "openai-chat:gpt-5")).content == "Hello from afar."
    assert len(remote.requests) == 1


@pytest.mark.parametrize("model", ["anthropic:claude-sonnet-5-5", "openai-chat:gpt-5", "openai:gpt-5"])
async def test_half_an_answer_is_none_also_where_it_ends_without_an_error(
    stage: Stage, remote: Provider, model: str
) -> None:
    remote.replies = [Reply(ends_early=True)]
    completed = await ran(stage, model)
    assert (completed.error_kind, completed.final) == ("model_unavailable", False)
    assert completed.content == ""
    assert f"The model {model!r} at {remote.url.removesuffix('/v1')}" in assert_for_people(completed)
    assert "broke off its answer" in assert_for_people(completed)
    assert len(remote.requests) == 1


@pytest.mark.parametrize("model", ["anthropic:claude-sonnet-5-5", "openai-chat:gpt-5", "openai:gpt-5"])
async def test_a_whole_answer_is_one(stage: Stage, remote: Provider, model: str) -> None:
    completed = await ran(stage, model)
    assert (completed.content, completed.error_message) == ("Hello from afar.", None)
    assert (completed.usage.input_tokens, completed.usage.output_tokens) == (11, 5)


async def test_half_an_answer_is_none_where_it_comes_at_once(stage: Stage, remote: Provider) -> None:
    remote.replies = [Reply(ends_early=True)]
    # Scripted models do not stream, and with them nobody in their chain.
    completed = await ran(stage, "openai-chat:gpt-5", fallback_models=["scripted:noop"])
    assert completed.content == "All is well."
    assert [request.get("stream", False) for request in remote.requests] == [False]


async def test_who_is_told_to_come_back_in_an_hour_does_not_sit_there(stage: Stage, remote: Provider) -> None:
    remote.replies, remote.message = [Reply(429, {"retry-after": "3600"})], "too many"
    completed = await ran(stage, "openai-chat:gpt-5")
    assert (completed.error_kind, completed.final) == ("model_error", False)
    assert completed.retry_after_seconds == 3600
    assert "takes no more requests now (HTTP status 429: too many)" in assert_for_people(completed)
    assert len(remote.requests) == 1


async def test_another_model_is_asked_rather_than_waited_for(stage: Stage, remote: Provider) -> None:
    remote.replies = [Reply(529, {"retry-after": "20"})]
    completed = await ran(
        stage, "anthropic:claude-sonnet-5-5", fallback_models=["openai-chat:gpt-5", "scripted:noop"]
    )
    assert completed.content == "Hello from afar."
    assert len(remote.requests) == 2


@pytest.mark.parametrize(
    ("status", "said", "told", "cause"),
    [
        (
            401,
            "Incorrect key sk-abcdef0123456",
            "refused the key (HTTP status 401: Incorrect key",
            "key of local",
        ),
        (404, "no such model", "does not know the model 'local:afar' (HTTP status 404", "model local:afar"),
        (402, "pay first", "has no credit left (HTTP status 402: pay first); pay there", "account at local"),
    ],
)
async def test_what_a_person_must_see_to_blocks_the_run_at_once(
    stage: Stage, remote: Provider, status: int, said: str, told: str, cause: str
) -> None:
    remote.status, remote.message = status, said
    completed = await asked(stage, remote.url)
    assert (completed.error_kind, completed.error_cause) == ("blocked", cause)
    assert completed.final
    message = assert_for_people(completed)
    assert told in message
    assert "sk-abc" not in message


async def test_a_model_without_its_key_is_left_out_with_a_warning_where_another_one_can_answer(
    stage: Stage, remote: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    completed = await ran(stage, "anthropic:claude-sonnet-5-5", fallback_models=["openai-chat:gpt-5"])
    assert completed.content == "Hello from afar."
    (warning,) = completed.warnings
    assert "'anthropic:claude-sonnet-5-5' cannot be used: ANTHROPIC_API_KEY is not set" in warning


@pytest.mark.parametrize(
    ("model", "field"),
    [("anthropic:claude-sonnet-5-5", "max_tokens"), ("openai-chat:gpt-4o", "max_completion_tokens")],
)
async def test_a_call_costs_what_the_list_says_and_may_be_no_longer_than_is_paid_for(
    stage: Stage, remote: Provider, model: str, field: str
) -> None:
    price = price_of(model)
    assert price is not None
    completed = await ran(stage, model, limits={"cost_limit": "0.02"})
    assert completed.error_message is None
    assert completed.usage.cost_usd == price.cost(11, 5)
    assert [(one.model, one.cost_usd) for one in completed.model_usage] == [(model, price.cost(11, 5))]
    longest = remote.requests[-1][field]
    assert 16 <= longest < 4_096
    assert price.cost(11, longest) <= Decimal("0.02")


async def test_a_provider_that_fails_in_passing_takes_its_share_of_a_budget_once(
    stage: Stage, remote: Provider
) -> None:
    remote.replies = [Reply(429, SOON), Reply(529, SOON)]
    await stage.world.sql(
        "INSERT INTO budgets (context_id, period, tokens_limit) VALUES (:id, 'day', 50000)",
        id=stage.context_id,
    )
    completed = await ran(stage, "anthropic:claude-sonnet-5-5")
    assert (completed.status, len(remote.requests)) == ("success", 3)
    [row] = await stage.world.sql("SELECT * FROM budget_periods")
    assert (row.used_tokens, row.reserved_tokens) == (16, 0)
    assert remote.requests[-1]["max_tokens"] == 4_096


async def test_what_a_provider_refused_is_given_back_to_the_budget(stage: Stage, remote: Provider) -> None:
    remote.status, remote.message = 400, "no"
    await stage.world.sql(
        "INSERT INTO budgets (context_id, period, tokens_limit) VALUES (:id, 'day', 50000)",
        id=stage.context_id,
    )
    completed = await ran(stage, "anthropic:claude-sonnet-5-5")
    assert completed.status == "error"
    [row] = await stage.world.sql("SELECT * FROM budget_periods")
    assert (row.used_tokens, row.reserved_tokens) == (0, 0)
