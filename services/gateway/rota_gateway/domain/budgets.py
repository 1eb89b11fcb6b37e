"""What must fit together in a budget; each problem with the field and a remedy."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from rota_gateway.domain.checks import Problem
from rota_prices import is_listed, price_of


def problems(budget: Mapping[str, Any], agents: Iterable[Mapping[str, Any]]) -> list[Problem]:
    """Everything that is wrong with a budget, given the agents that it concerns."""
    return [*_limits(budget), *_policy(budget), *_prices(budget, agents)]


def _limits(budget: Mapping[str, Any]) -> Iterator[Problem]:
    if budget["tokens_limit"] is None and budget["cost_limit"] is None:
        yield Problem("tokens_limit", "is missing, and so is cost_limit: say at least one of the two")
    if budget["job_id"] is not None and budget["agent_name"] is not None:
        yield Problem("agent_name", "is not asked beside job_id: a budget is of a job or of an agent")


def _policy(budget: Mapping[str, Any]) -> Iterator[Problem]:
    is_fallback = budget["policy"] == "fallback"
    if is_fallback and budget["fallback_model"] is None:
        yield Problem("fallback_model", "is missing: policy fallback goes on with it")
    if not is_fallback and budget["fallback_model"] is not None:
        yield Problem("fallback_model", "is for policy fallback: leave it out, or say policy fallback")


def _prices(budget: Mapping[str, Any], agents: Iterable[Mapping[str, Any]]) -> Iterator[Problem]:
    """What a plug-in's models cost only the executor knows: it refuses the run where nobody does."""
    if budget["cost_limit"] is None or budget["tokens_limit"] is not None:
        return
    if (model := budget["fallback_model"]) and _has_no_price(model):
        yield Problem("fallback_model", f"nobody knows what {model!r} costs: add tokens_limit")
    for agent in agents:
        for model in (agent["model"], *agent["fallback_models"]):
            if _has_no_price(model):
                yield Problem(
                    "cost_limit",
                    f"nobody knows what {model!r} of the agent {agent['name']!r} costs: add tokens_limit",
                )


def _has_no_price(model: str) -> bool:
    return is_listed(model) and price_of(model) is None
