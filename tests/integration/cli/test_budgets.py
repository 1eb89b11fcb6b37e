"""`rota budgets` against a real HTTP server that speaks as the gateway does."""

from typing import Any

import pytest

from tests.integration.cli.test_client import CONTEXT, Gateway, Rota, gateway, rota

__all__ = ["gateway", "rota"]  # fixtures

BUDGET: dict[str, Any] = {
    "id": "55555555-5555-4555-8555-555555555555",
    "context_id": CONTEXT,
    "job_id": None,
    "job_name": None,
    "agent_name": None,
    "period": "month",
    "tokens_limit": 1_000_000,
    "cost_limit": None,
    "policy": "fallback",
    "fallback_model": "ollama:qwen3",
    "period_start": "2026-11-01T00:00:00Z",
    "period_end": "2026-12-01T00:00:00Z",
    "used_tokens": 12_345,
    "used_cost": "0.37",
    "reserved_tokens": 0,
    "reserved_cost": "0",
    "created_at": "2026-11-21T12:00:00Z",
    "updated_at": "2026-11-21T12:00:00Z",
}
PATH = f"/budgets/{BUDGET['id']}"


@pytest.fixture(autouse=True)
def _home(gateway: Gateway) -> None:
    gateway.items("/contexts", {"id": CONTEXT, "name": "home"})


def test_budgets_are_listed_with_what_is_used(gateway: Gateway, rota: Rota) -> None:
    of_agent = {
        **BUDGET,
        "agent_name": "Briefer",
        "policy": "stop",
        "fallback_model": None,
        "cost_limit": "5",
    }
    gateway.items(f"/contexts/{CONTEXT}/budgets", BUDGET, of_agent)
    said = rota("budgets", "list", "-c", "home")
    assert said.code == 0, said.err
    first, second = said.out.splitlines()[1:]
    assert "the context" in first
    assert "12,345 of 1,000,000" in first
    assert "fallback to ollama:qwen3" in first
    assert "agent Briefer" in second
    assert "0.37 of 5" in second


def test_a_budget_is_made_with_what_was_given_and_nothing_else(gateway: Gateway, rota: Rota) -> None:
    gateway.answer("POST", f"/contexts/{CONTEXT}/budgets", BUDGET)
    options = ("budgets", "create", "-c", "home", "--period", "month", "--tokens", "1000000")
    said = rota(*options, "--fallback-model", "ollama:qwen3", "--agent", "Briefer", "--cost", "2.50")
    assert said.code == 0, said.err
    assert gateway.asked[-1][3] == {
        "period": "month",
        "tokens_limit": 1_000_000,
        "cost_limit": "2.50",
        "policy": "fallback",
        "fallback_model": "ollama:qwen3",
        "agent_name": "Briefer",
    }


def test_a_budget_is_changed_shown_and_deleted(gateway: Gateway, rota: Rota) -> None:
    for method in ("GET", "PATCH", "DELETE"):
        gateway.answer(method, PATH, BUDGET)
    budget = str(BUDGET["id"])
    assert "12345" in rota("budgets", "show", budget).out
    rota("budgets", "update", budget, "--cost", "3", "--clear", "tokens")
    assert gateway.asked[-1][3] == {"cost_limit": "3", "tokens_limit": None}
    assert rota("budgets", "update", budget).code != 0
    assert rota("budgets", "delete", budget, "--yes").out == f"deleted budget {budget}\n"
    said = rota("budgets", "show", "mine")
    assert (said.code, "rota budgets list" in said.err) == (1, True)
