"""The price of a model by its name, from the list that came with the package: nothing is fetched."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from genai_prices import Usage, calc_price
from genai_prices.data_snapshot import get_snapshot

MILLION = 1_000_000
# Servers of one's own: nobody bills their tokens.
OWN_SERVERS = frozenset({"local", "ollama", "vllm"})
# The agent runtime's relay to other providers, whose names stand behind it.
RELAY = "gateway/"


class Tokens(Protocol):
    """What a call took; a provider's own report may have more in it, what was cached say."""

    @property
    def input_tokens(self) -> int | None: ...

    @property
    def output_tokens(self) -> int | None: ...


class Price(Protocol):
    def cost(self, input_tokens: int, output_tokens: int) -> Decimal:
        """Of one call, without anything cached."""
        ...

    def cost_of(self, usage: Tokens) -> Decimal:
        """Of one call as its provider reported it: what was cached has a price of its own."""
        ...


@dataclass(frozen=True)
class FlatPrice:
    """Dollars for a million tokens."""

    input_mtok: Decimal
    output_mtok: Decimal

    def cost(self, input_tokens: int, output_tokens: int) -> Decimal:
        return (input_tokens * self.input_mtok + output_tokens * self.output_mtok) / MILLION

    def cost_of(self, usage: Tokens) -> Decimal:
        return self.cost(usage.input_tokens or 0, usage.output_tokens or 0)


FREE = FlatPrice(Decimal(0), Decimal(0))


@dataclass(frozen=True)
class ListPrice:
    """As the list has it: by tier, by what was cached."""

    provider: str
    model: str

    def cost(self, input_tokens: int, output_tokens: int) -> Decimal:
        return self._price(Usage(input_tokens=input_tokens, output_tokens=output_tokens))

    def cost_of(self, usage: Tokens) -> Decimal:
        try:
            return self._price(usage)
        except ValueError:  # its parts contradict one another: the sums are billed all the same
            return self.cost(usage.input_tokens or 0, usage.output_tokens or 0)

    def _price(self, usage: object) -> Decimal:
        return calc_price(usage, self.model, provider_id=self.provider).total_price


def price_of(name: str) -> Price | None:
    """The price of a model, named as provider:model; None where the list has none."""
    provider, _, model = name.removeprefix(RELAY).partition(":")
    if provider in OWN_SERVERS:
        return FREE
    price = ListPrice(provider, model)
    try:
        price.cost(1, 1)
    except LookupError:
        return None
    return price


def is_listed(name: str) -> bool:
    """Whether the list has models of that provider at all: then one without a price is known to have none."""
    provider = name.removeprefix(RELAY).partition(":")[0]
    try:
        get_snapshot().find_provider(None, provider, None)
    except LookupError:
        return provider in OWN_SERVERS
    return True
