"""Limits of one run: each ends it with a sentence that names the limit, its value and where to raise it."""

import json
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from pydantic_ai.models import ModelRequestParameters
from pydantic_ai.usage import RequestUsage

from rota_contracts.events import JobCompleted
from rota_executor.adapters.metering import Meter
from rota_executor.adapters.models import Models, ModelServers
from rota_executor.adapters.registry import Registry
from rota_executor.agent import Agent, Limits
from rota_executor.domain import Record
from rota_executor.errors import LimitReachedError
from rota_executor.spending import Spending
from tests.integration.executor import toolbox
from tests.integration.executor.conftest import Stage
from tests.support import scripted

RECORDED = [{"tool_name": "recorded"}]


def plays(*steps: Any, kind: str = "scripted") -> str:
    return f"{kind}:plays:{json.dumps(steps)}"


def calls(count: int) -> list[Any]:
    """Steps of a model that calls the tool so often, never twice alike, and then answers."""
    return [*(["recorded", {"number": number}] for number in range(count)), "Done."]


@pytest.fixture(autouse=True)
def _no_calls() -> None:
    toolbox.calls.clear()


async def refused(stage: Stage, model: str, limits: dict[str, Any], **changes: Any) -> JobCompleted:
    await stage.an_agent(model, limits=limits, tools=RECORDED)
    completed = await stage.ran(max_retries=3, **changes)
    assert (completed.status, completed.error_kind) == ("error", "limit"), completed.error_message
    # Another attempt would only reach it again.
    assert completed.final
    return completed


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("request_limit", 2, "its limit of 2 requests to the model"),
        ("tool_calls_limit", 2, "its limit of 2 tool calls"),
        ("input_tokens_limit", 60, "its limit of 60 input tokens"),
        ("output_tokens_limit", 5, "its limit of 5 output tokens"),
        ("total_tokens_limit", 60, "its limit of 60 tokens"),
    ],
)
async def test_a_limit_that_is_reached_ends_the_run_and_says_which(
    stage: Stage, name: str, value: int, words: str
) -> None:
    completed = await refused(stage, plays(*calls(9)), {name: value})
    said = completed.error_message or ""
    assert words in said
    assert f"raise {name} in the limits of the agent" in said


async def test_money_that_a_run_may_spend_bounds_each_call(stage: Stage) -> None:
    """A call may have no longer an answer than what is left pays for; else it is not made."""
    limit = Decimal("0.003")
    completed = await refused(stage, plays(*calls(40), kind="paid"), {"cost_limit": str(limit)})
    assert "reached its limit of $0.003" in (completed.error_message or "")
    assert "raise cost_limit" in (completed.error_message or "")
    spent = completed.usage.cost_usd
    assert spent is not None
    assert limit / 4 < spent <= limit
    [used] = completed.model_usage
    assert (used.requests, used.cost_usd) == (len(toolbox.calls), spent)
    assert used.cost_usd == (used.input_tokens + 2 * used.output_tokens) / Decimal(1_000_000)


async def test_what_a_run_cost_is_told_with_its_result(stage: Stage) -> None:
    await stage.an_agent("paid:noop")
    completed = await stage.ran()
    tokens = completed.usage.input_tokens + 2 * completed.usage.output_tokens
    assert completed.usage.cost_usd == tokens / Decimal(1_000_000)
    assert completed.usage.unpriced_requests == 0


async def test_what_nobody_knows_the_price_of_is_counted_apart(stage: Stage) -> None:
    await stage.an_agent("priceless:noop", limits={"cost_limit": "1", "total_tokens_limit": 10_000})
    completed = await stage.ran()
    assert (completed.status, completed.usage.cost_usd) == ("success", None)
    assert completed.usage.unpriced_requests == 1


async def test_a_model_that_costs_nothing_spends_nothing(stage: Stage) -> None:
    await stage.an_agent("scripted:noop", limits={"cost_limit": "0.000001"})
    completed = await stage.ran()
    assert (completed.status, completed.usage.cost_usd) == ("success", Decimal(0))


async def test_money_cannot_be_watched_where_nobody_knows_the_price(stage: Stage) -> None:
    await stage.an_agent("paid:noop", fallback_models=["priceless:noop"], limits={"cost_limit": "1"})
    completed = await stage.ran()
    assert (completed.error_kind, completed.usage.requests) == ("invalid_configuration", 0)
    assert "'priceless:noop' costs" in (completed.error_message or "")
    assert "total_tokens_limit" in (completed.error_message or "")


async def test_the_model_that_answered_is_the_one_that_is_billed(stage: Stage) -> None:
    await stage.an_agent("scripted:fail", fallback_models=["paid:noop"])
    completed = await stage.ran()
    assert (completed.status, completed.model) == ("success", "paid:noop")
    assert [one.model for one in completed.model_usage] == ["paid:noop"]


async def test_a_run_that_goes_round_in_circles_is_ended(stage: Stage) -> None:
    circle = [["recorded", {"at": "the door"}], ["recorded", {"at": "the window"}]] * 20
    completed = await refused(stage, plays(*circle), {})
    said = completed.error_message or ""
    assert "called 'recorded' with the same arguments 5 times" in said
    assert "repeated_calls_limit" in said
    assert [call["at"] for call in toolbox.calls].count("the door") == 4


@pytest.mark.parametrize(("limit", "made"), [(2, 1), (None, 8)])
async def test_how_often_is_too_often_stands_in_the_agent(stage: Stage, limit: int | None, made: int) -> None:
    await stage.an_agent(
        plays(*[["recorded", {}]] * 8, "Done."), limits={"repeated_calls_limit": limit}, tools=RECORDED
    )
    completed = await stage.ran()
    assert completed.status == ("error" if limit else "success")
    assert len(toolbox.calls) == made


async def test_calls_that_a_run_makes_at_once_share_its_money(stage: Stage) -> None:
    """One sentence per fact, two at a time: together they cost no more than the run may."""
    facts = [{"tool_name": name, "mode": "prefetch"} for name in ("full", "recorded")]
    limit = Decimal("0.0005")
    await stage.an_agent("paid:rewrites", style="per_fact", limits={"cost_limit": str(limit)}, tools=facts)
    completed = await stage.ran()
    spent = completed.usage.cost_usd
    assert completed.usage.requests > 1
    assert spent is not None
    assert spent <= limit


async def test_who_has_spent_more_than_allowed_makes_not_even_a_call_that_is_free(stage: Stage) -> None:
    """The most that a call takes is an estimate: a provider may count more tokens than there were bytes."""
    nobody: Any = None  # without a budget nobody asks whose attempt it is
    registry = Registry()
    scripted.register(registry)
    limits = Limits(cost_limit=Decimal("0.001"))
    agent = Agent(
        id=uuid4(),
        name="a",
        model="paid:noop",
        system_prompt="",
        fallback_models=["scripted:noop"],
        limits=limits,
    )
    meter = Meter(agent, Models(registry, ModelServers()), Spending(nobody, nobody, []), Record())
    parameters, model = ModelRequestParameters(), scripted.model("noop")
    async with meter.call("paid:noop", model, [], None, parameters) as call:
        call.usage = RequestUsage(input_tokens=5_000)
    with pytest.raises(LimitReachedError, match=r"\$0.005 are spent"):
        async with meter.call("scripted:noop", model, [], None, parameters):
            pass
