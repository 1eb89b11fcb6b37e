"""What models cost: from the list that is installed, whatever is on the network."""

from decimal import Decimal

import pytest
from pydantic_ai.usage import RequestUsage

from rota_executor.money import dollars
from rota_prices import FREE, FlatPrice, is_listed, price_of


@pytest.mark.parametrize(
    "name",
    [
        "anthropic:claude-sonnet-4-5",
        "gateway/anthropic:claude-sonnet-4-5",
        "openai:gpt-4o",
        "openai-chat:gpt-4o",
        "google:gemini-2.5-pro",
        "bedrock:us.anthropic.claude-sonnet-4-5-20250929-v1:0",
        "openrouter:anthropic/claude-sonnet-4.5",
    ],
)
def test_a_model_of_a_known_provider_has_a_price(name: str) -> None:
    price = price_of(name)
    assert price is not None
    assert price.cost(1000, 0) > 0
    assert price.cost(1000, 100) > price.cost(1000, 0)


def test_a_call_costs_what_the_list_says() -> None:
    price = price_of("anthropic:claude-sonnet-4-5")
    assert price is not None
    assert price.cost(1000, 100) == Decimal("0.0045")
    assert price.cost_of(RequestUsage(input_tokens=1000, output_tokens=100)) == Decimal("0.0045")
    # What was read from the cache costs a tenth.
    cached = RequestUsage(input_tokens=1000, cache_read_tokens=1000, output_tokens=100)
    assert price.cost_of(cached) == Decimal("0.0018")
    # A report that contradicts itself is billed by its sums.
    contradicting = RequestUsage(input_tokens=1000, cache_read_tokens=5000, output_tokens=100)
    assert price.cost_of(contradicting) == Decimal("0.0045")


@pytest.mark.parametrize("name", ["local:smollm2", "ollama:qwen3", "vllm:any"])
def test_a_server_of_ones_own_costs_nothing(name: str) -> None:
    assert price_of(name) is FREE
    assert FREE.cost(1_000_000, 1_000_000) == 0


def test_a_model_that_is_not_listed_has_no_price() -> None:
    assert price_of("openai:of-tomorrow") is None
    assert is_listed("openai:of-tomorrow")
    assert price_of("greenhouse:any") is None
    assert not is_listed("greenhouse:any")


def test_a_flat_price_is_that_of_a_million_tokens() -> None:
    price = FlatPrice(Decimal(3), Decimal(15))
    assert price.cost(1_000_000, 2_000_000) == 33
    assert price.cost_of(RequestUsage(input_tokens=10, output_tokens=1)) == Decimal("0.000045")


@pytest.mark.parametrize(
    ("amount", "said"),
    [("5", "$5.00"), (".5", "$0.50"), ("0.0123", "$0.0123"), ("1234.5", "$1,234.50"), ("0.0000004", "$0.00")],
)
def test_dollars_are_told_in_cents_unless_there_is_less(amount: str, said: str) -> None:
    assert dollars(Decimal(amount)) == said
