"""What a run spends: counted by model, and stopped before a call that it cannot afford."""

import dataclasses
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

from pydantic_ai import RunContext
from pydantic_ai.messages import ModelMessage, ModelResponse
from pydantic_ai.models import Model, ModelRequestParameters, StreamedResponse
from pydantic_ai.models.wrapper import WrapperModel
from pydantic_ai.settings import ModelSettings
from pydantic_ai.usage import RequestUsage

from rota_contracts.events import ModelUsage, Usage
from rota_executor.adapters import sizes
from rota_executor.adapters.limits import too_dear
from rota_executor.agent import Agent
from rota_prices import Price

# Of a call whose cost is bounded, where the agent does not say max_tokens.
MAX_OUTPUT = 4_096
# An answer of less is none.
LEAST_OUTPUT = 16
NOTHING = Decimal(0)


@dataclasses.dataclass
class Call:
    """One request on its way: to which model, how; and what it took, once that is known."""

    name: str
    model: Model
    settings: ModelSettings | None
    usage: RequestUsage | None = None


class Meter:
    """Of one attempt; `before` is what the run had spent when it parked."""

    def __init__(
        self, agent: Agent, prices: Mapping[str, Price | None], *, default_output: int = MAX_OUTPUT
    ) -> None:
        self._limits = agent.limits
        self._prices = prices
        self._default_output = default_output
        self._spent: dict[str, ModelUsage] = {}
        self.before = Usage()
        # The model that answered last, as it is configured.
        self.answered: str | None = None

    def metered(self, name: str, model: Model) -> Model:
        """The model as a run gets it; `name` as it is configured."""
        return MeteredModel(model, name, self)

    @property
    def spent(self) -> list[ModelUsage]:
        """In this attempt, by model."""
        return list(self._spent.values())

    @property
    def cost_usd(self) -> Decimal | None:
        """Of the whole run, as far as prices are known; None where none is."""
        costs = [self.before.cost_usd, *(one.cost_usd for one in self.spent)]
        known = [cost for cost in costs if cost is not None]
        return sum(known, NOTHING) if known else None

    @property
    def unpriced_requests(self) -> int:
        return self.before.unpriced_requests + sum(one.unpriced_requests for one in self.spent)

    @asynccontextmanager
    async def call(
        self,
        name: str,
        model: Model,
        messages: list[ModelMessage],
        settings: ModelSettings | None,
        parameters: ModelRequestParameters,
    ) -> AsyncIterator[Call]:
        """Surrounds one request.

        Raises:
            LimitReachedError: what is left does not pay for it; nothing was sent.

        """
        call = Call(name, model, settings)
        if self._limits.cost_limit is not None and (price := self._prices.get(name)):
            needed = sizes.input_tokens(messages, parameters, is_counted=self.answered == name)
            wanted = (settings or {}).get("max_tokens") or self._default_output
            affordable = self._affordable(self._limits.cost_limit, price, needed, wanted)
            call.settings = ModelSettings(**{**(settings or {}), "max_tokens": affordable})
        yield call
        if call.usage is not None:
            self._count(name, call.usage)

    def _affordable(self, limit: Decimal, price: Price, needed: int, wanted: int) -> int:
        """How many tokens the answer may have, so that the call costs no more than what is left."""
        spent = self.cost_usd or NOTHING
        left = limit - spent - price.cost(needed, 0)
        if price.cost(needed, wanted) - price.cost(needed, 0) <= left:
            return wanted
        each = (price.cost(needed, wanted) - price.cost(needed, 0)) / wanted
        affordable = int(left / each)
        if affordable < LEAST_OUTPUT:
            raise too_dear(limit, spent)
        return affordable

    def _count(self, name: str, usage: RequestUsage) -> None:
        price, known = self._prices.get(name), self._spent.get(name, ModelUsage(model=name))
        cost = price.cost_of(usage) if price else None
        self._spent[name] = ModelUsage(
            model=name,
            requests=known.requests + 1,
            input_tokens=known.input_tokens + usage.input_tokens,
            output_tokens=known.output_tokens + usage.output_tokens,
            cost_usd=known.cost_usd if cost is None else (known.cost_usd or NOTHING) + cost,
            unpriced_requests=known.unpriced_requests + (cost is None),
        )
        self.answered = name


class MeteredModel(WrapperModel):
    def __init__(self, wrapped: Model, name: str, meter: Meter) -> None:
        super().__init__(wrapped)
        self._name = name
        self._meter = meter

    async def request(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> ModelResponse:
        async with self._meter.call(
            self._name, self.wrapped, messages, model_settings, model_request_parameters
        ) as call:
            response = await call.model.request(messages, call.settings, model_request_parameters)
            call.usage = _usage(response, messages, model_request_parameters)
        return response

    @asynccontextmanager
    async def request_stream(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
        run_context: RunContext[Any] | None = None,
    ) -> AsyncIterator[StreamedResponse]:
        async with (
            self._meter.call(
                self._name, self.wrapped, messages, model_settings, model_request_parameters
            ) as call,
            call.model.request_stream(
                messages, call.settings, model_request_parameters, run_context
            ) as stream,
        ):
            try:
                yield stream
            finally:
                call.usage = _usage(stream.get(), messages, model_request_parameters)


def _usage(
    response: ModelResponse, messages: list[ModelMessage], parameters: ModelRequestParameters
) -> RequestUsage:
    """As the provider says it; of one that says nothing, the most that it can have been."""
    if response.usage.total_tokens:
        return response.usage
    return RequestUsage(
        input_tokens=sizes.input_tokens(messages, parameters, is_counted=False),
        output_tokens=sizes.output_tokens(response),
    )
