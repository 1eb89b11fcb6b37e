"""Limits of one run: what is said where one is reached, and which cannot be kept at all."""

import re
from collections.abc import Mapping
from decimal import Decimal

from pydantic_ai.exceptions import UsageLimitExceeded
from pydantic_ai.usage import UsageLimits

from rota_executor.agent import Agent, Limits
from rota_executor.errors import InvalidConfigurationError, LimitReachedError
from rota_executor.money import dollars
from rota_prices import Price

# As the agent runtime says it: which limit, and its value.
_REACHED = re.compile(r"\b(\w+_limit)`? of (\d+)")
NOUNS = {
    "request_limit": "requests to the model",
    "tool_calls_limit": "tool calls",
    "input_tokens_limit": "input tokens",
    "output_tokens_limit": "output tokens",
    "total_tokens_limit": "tokens",
}


def usage_limits(limits: Limits) -> UsageLimits:
    """Those that the agent runtime watches; money is watched where it is spent."""
    return UsageLimits(
        request_limit=limits.request_limit,
        tool_calls_limit=limits.tool_calls_limit,
        input_tokens_limit=limits.input_tokens_limit,
        output_tokens_limit=limits.output_tokens_limit,
        total_tokens_limit=limits.total_tokens_limit,
    )


def limit_reached(error: UsageLimitExceeded) -> LimitReachedError:
    """What the agent runtime stopped a run for, for people."""
    found = _REACHED.search(str(error))
    if found is None:
        return LimitReachedError("The run reached a limit of its agent and was stopped. Look at its limits.")
    name, value = found[1], int(found[2])
    return LimitReachedError(
        f"The run reached its limit of {value:,} {NOUNS.get(name, name)} and was stopped. "
        f"If it should go further, raise {name} in the limits of the agent."
    )


def too_dear(limit: Decimal, spent: Decimal) -> LimitReachedError:
    """There is too little left of the money of the run for another call."""
    return LimitReachedError(
        f"The run reached its limit of {dollars(limit)} and was stopped: {dollars(spent)} are spent, and "
        "what is left does not pay for another call. "
        "If it should go further, raise cost_limit in the limits of the agent."
    )


def repeated(tool: str, limit: int) -> LimitReachedError:
    """The run goes round in circles."""
    return LimitReachedError(
        f"The run made no progress and was stopped: it called {tool!r} with the same "
        f"arguments {limit} times. If that is right, raise repeated_calls_limit in the limits of the agent."
    )


def require_enforceable(agent: Agent, prices: Mapping[str, Price | None]) -> None:
    """Money can be watched only where the price is known, unless tokens are watched as well.

    Raises:
        InvalidConfigurationError: nobody knows what one of the models costs; says which.

    """
    limits = agent.limits
    if limits.cost_limit is None or limits.has_token_limit:
        return
    for name, price in prices.items():
        if price is None:
            raise InvalidConfigurationError(
                f"The agent has a limit of {dollars(limits.cost_limit)} a run, but nobody knows what the "
                f"model {name!r} costs. Give it a limit of tokens as well (total_tokens_limit), "
                "or name another model."
            )
