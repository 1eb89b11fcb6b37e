"""What a run spends: counted by model, and stopped before a call that it cannot afford."""

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any
from uuid import UUID

import httpx2
from pydantic_ai import RunContext
from pydantic_ai.exceptions import ModelAPIError, ModelHTTPError
from pydantic_ai.messages import ModelMessage, ModelResponse
from pydantic_ai.models import Model, ModelRequestParameters, StreamedResponse
from pydantic_ai.models.wrapper import WrapperModel
from pydantic_ai.settings import ModelSettings
from pydantic_ai.usage import RequestUsage

from rota_contracts.values import ModelUsage, Usage
from rota_executor import budgets
from rota_executor.adapters import limits, sizes
from rota_executor.adapters.models import Models
from rota_executor.agent import Agent
from rota_executor.budgets import Share
from rota_executor.domain import Record
from rota_executor.spending import NOTHING, Spending
from rota_prices import Price

# Of a call whose cost is bounded, where the agent does not say max_tokens.
MAX_OUTPUT = 4_096
# An answer of less is none.
LEAST_OUTPUT = 16


def may_be_billed(error: BaseException) -> bool:
    """Whether a call that ended so may have been answered all the same: it was sent, and not refused."""
    if isinstance(error, asyncio.CancelledError | TimeoutError):
        return True
    if not isinstance(error, ModelAPIError) or (isinstance(error, ModelHTTPError) and not error.in_stream):
        return False
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, httpx2.ConnectError | httpx2.ConnectTimeout):
            return False
        cause = cause.__cause__
    return True


@dataclasses.dataclass
class Call:
    """One request on its way: to which model, how; and what it took, once that is known."""

    name: str
    model: Model
    settings: ModelSettings | None
    usage: RequestUsage | None = None
    # The most that it may cost.
    cost: Decimal = Decimal(0)
    # The most that it may take from budgets.
    share: Share = NOTHING


class Meter:
    """Of one attempt; `before` is what the run had spent when it parked."""

    def __init__(self, agent: Agent, models: Models, spending: Spending, record: Record) -> None:
        """What it counts is in the record with each call.

        Raises InvalidConfigurationError: money is limited, and nobody knows what a model costs.

        """
        self._limits = agent.limits
        self._models = models
        self._spending = spending
        self._record = record
        self._prices = models.prices([agent.model, *agent.fallback_models])
        self._spent: dict[str, ModelUsage] = {}
        # What calls on their way may cost: a run may make several at once.
        self._promised = Decimal(0)
        self.before = Usage()
        # The model that answered last, as it is configured.
        self.answered: str | None = None
        limits.require_enforceable(agent, self._prices)
        budgets.require_enforceable(list(spending.budgets.values()), self._prices)

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
        return sum(known, Decimal(0)) if known else None

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
        try:
            reservation = await self._admitted(call, messages, parameters)
            taken = NOTHING
            try:
                yield call
            except BaseException as error:
                if call.usage is None and may_be_billed(error):
                    taken = call.share
                raise
            finally:
                if call.usage is not None:
                    taken = self._count(call.name, call.usage)
                if reservation is not None:
                    await self._spending.settle(reservation, taken)
        finally:
            self._promise(call, Decimal(0))

    async def _admitted(
        self, call: Call, messages: list[ModelMessage], parameters: ModelRequestParameters
    ) -> UUID | None:
        """Bounds the call, also by another model, until limits and budgets let it pass; its reservation."""
        settings = call.settings or ModelSettings()
        while True:
            if (other := self._spending.fallback) and other != call.name:
                await self._switch(call, other)
            if not self._spending.budgets and self._limits.cost_limit is None:
                return None
            needed = sizes.input_tokens(messages, parameters, is_counted=self.answered == call.name)
            price = self._prices[call.name]
            self._promise(call, Decimal(0))
            most = self._longest_answer(settings, price, needed)
            self._promise(call, price.cost(needed, most) if price else Decimal(0))
            call.settings = ModelSettings(**{**settings, "max_tokens": most})
            if not self._spending.budgets:
                return None
            call.share = Share(needed + most, call.cost)
            if reservation := await self._spending.reserve(call.share):
                return reservation

    def _promise(self, call: Call, cost: Decimal) -> None:
        self._promised += cost - call.cost
        call.cost = cost

    async def _switch(self, call: Call, name: str) -> None:
        """To the model that a budget names which is used up."""
        self._prices |= self._models.prices([name])
        budgets.require_enforceable(list(self._spending.budgets.values()), {name: self._prices[name]})
        call.name, call.model = name, await self._models.one(name)

    def _longest_answer(self, settings: ModelSettings, price: Price | None, needed: int) -> int:
        """How many tokens the answer may have, so that the run costs no more than it may."""
        thinking = sizes.thinking_tokens(settings)
        wanted = settings.get("max_tokens") or MAX_OUTPUT + thinking
        limit = self._limits.cost_limit
        if limit is None or price is None:
            return wanted
        spent = self.cost_usd or Decimal(0)
        asking = price.cost(needed, 0)
        answering, left = price.cost(needed, wanted) - asking, limit - spent - self._promised - asking
        if 0 <= answering <= left:
            return wanted
        affordable = int(left * wanted / answering) if answering else 0
        if affordable < min(wanted, thinking + LEAST_OUTPUT):
            raise limits.too_dear(limit, spent)
        return affordable

    def _count(self, name: str, usage: RequestUsage) -> Share:
        price, known = self._prices[name], self._spent.get(name, ModelUsage(model=name))
        cost = price.cost_of(usage) if price else None
        self._spent[name] = ModelUsage(
            model=name,
            requests=known.requests + 1,
            input_tokens=known.input_tokens + usage.input_tokens,
            output_tokens=known.output_tokens + usage.output_tokens,
            cost_usd=known.cost_usd if cost is None else (known.cost_usd or Decimal(0)) + cost,
            unpriced_requests=known.unpriced_requests + (cost is None),
        )
        self._record.model_usage = self.spent
        self.answered = name
        return Share(usage.total_tokens, cost or Decimal(0))


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
