"""Budgets, purely: which concern a run, what becomes of a call that one refuses, what people are told."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal, NamedTuple
from uuid import UUID

from msgspec import Struct

from rota_contracts.budgets import WARN_AT, Period, Policy, period_end, period_start
from rota_executor.errors import InvalidConfigurationError
from rota_executor.money import dollars
from rota_prices import Price


class Budget(Struct, frozen=True, kw_only=True):
    """As it was when the run began; what it allows is read again with each call."""

    id: UUID
    period: Period
    policy: Policy = "stop"
    job_id: UUID | None = None
    agent_name: str | None = None
    tokens_limit: int | None = None
    cost_limit: Decimal | None = None
    fallback_model: str | None = None

    def concerns(self, job_id: UUID) -> bool:
        return self.job_id is None or self.job_id == job_id

    @property
    def subject(self) -> str:
        if self.job_id:
            return "the job"
        return f"the agent {self.agent_name!r}" if self.agent_name else "the context"


@dataclass(frozen=True)
class Standing:
    """Of a budget in its period, when a call asked for its share. `is_open`: there is a row to count in."""

    budget_id: UUID
    policy: Policy
    fallback_model: str | None
    tokens_limit: int | None
    cost_limit: Decimal | None
    used_tokens: int | None
    used_cost: Decimal | None
    is_open: bool
    # What is used leaves no room for the call; what is used or reserved leaves none.
    is_exhausted: bool
    is_held: bool


class Share(NamedTuple):
    """The most that a call may take; of a model whose price nobody knows the cost is none."""

    tokens: int
    cost: Decimal


Verdict = Literal["granted", "open", "wait", "refused"]


def verdict(standings: Sequence[Standing]) -> tuple[Verdict, Standing | None]:
    """What becomes of a call, and because of which budget.

    Of those that are used up the strictest counts: stop before pause before fallback. Where only others'
    calls are in the way, these may well take less than they have reserved: it waits.
    """
    exhausted = [one for one in standings if one.is_exhausted]
    for policy in ("stop", "pause", "fallback"):
        for one in exhausted:
            if one.policy == policy:
                return "refused", one
    if any(not one.is_open for one in standings):
        return "open", None
    held = next((one for one in standings if one.is_held), None)
    return ("wait", held) if held else ("granted", None)


def refusal(budget: Budget, standing: Standing, share: Share, now: datetime) -> str:
    """Why a run was stopped: which budget, what is left of it, until when, and what to do."""
    limit, used, wanted = _amounts(standing, share)
    end = period_end(budget.period, period_start(budget.period, now))
    return (
        f"The budget of {limit} a {budget.period} for {budget.subject} is used up: {used} are spent, "
        f"and the next call may take {wanted}. The next {budget.period} begins at {end:%Y-%m-%d %H:%M} UTC; "
        f"to go on before, raise the budget {budget.id} (rota budgets update)."
    )


def _amounts(standing: Standing, share: Share) -> tuple[str, str, str]:
    """The limit, what is used of it and what the call may take, of the kind that is short."""
    tokens, used = standing.tokens_limit, standing.used_tokens or 0
    if tokens is not None and used + share.tokens > tokens:
        return f"{tokens:,} tokens", f"{used:,}", f"{share.tokens:,}"
    limit, spent = standing.cost_limit or Decimal(0), standing.used_cost or Decimal(0)
    return dollars(limit), dollars(spent), dollars(share.cost)


def is_short(standing: Standing) -> bool:
    """Whether so much is used that people should know."""
    tokens, cost = standing.tokens_limit, standing.cost_limit
    return (tokens is not None and 100 * (standing.used_tokens or 0) >= WARN_AT * tokens) or (
        cost is not None and 100 * (standing.used_cost or Decimal(0)) >= WARN_AT * cost
    )


def warning(budget: Budget, standing: Standing, now: datetime) -> tuple[str, str]:
    """Title and text of what people are told when little is left."""
    parts = []
    if standing.tokens_limit is not None:
        parts.append(f"{standing.used_tokens or 0:,} of {standing.tokens_limit:,} tokens")
    if standing.cost_limit is not None:
        parts.append(f"{dollars(standing.used_cost or Decimal(0))} of {dollars(standing.cost_limit)}")
    after = {
        "stop": "Runs are then stopped.",
        "pause": "Runs are then stopped, and its jobs paused.",
        "fallback": f"Runs then go on with {standing.fallback_model}.",
    }[standing.policy]
    end = period_end(budget.period, period_start(budget.period, now))
    body = (
        f"{' and '.join(parts)} are used of what {budget.subject} may spend in this {budget.period}, "
        f"until {end:%Y-%m-%d %H:%M} UTC. {after}"
    )
    return f"{WARN_AT} % of a budget is used", body


def require_enforceable(budgets: Sequence[Budget], prices: Mapping[str, Price | None]) -> None:
    """Money can be counted only where the price is known, unless tokens are counted as well.

    Raises:
        InvalidConfigurationError: nobody knows what one of the models costs; says which.

    """
    unknown = [name for name, price in prices.items() if price is None]
    for budget in budgets:
        if unknown and budget.cost_limit is not None and budget.tokens_limit is None:
            raise InvalidConfigurationError(
                f"There is a budget of {dollars(budget.cost_limit)} a {budget.period} for {budget.subject}, "
                f"but nobody knows what the model {unknown[0]!r} costs. Give the budget {budget.id} a "
                "limit of tokens as well, or name another model in the agent."
            )
