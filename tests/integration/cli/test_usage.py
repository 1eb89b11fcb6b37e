"""`rota usage`, and what a job costs, against a real HTTP server that speaks as the gateway does."""

from typing import Any

from tests.integration.cli.test_client import CONTEXT, Gateway, Rota, gateway, rota

__all__ = ["gateway", "rota"]  # fixtures

SUMS: dict[str, Any] = {
    "runs": 12,
    "requests": 30,
    "input_tokens": 123_456,
    "output_tokens": 7_890,
    "cost_usd": "0.4567",
    "unpriced_requests": 0,
}
GROUP = {**SUMS, "model": "anthropic:claude-sonnet-4-5", "day": "2026-11-22"}
UNKNOWN = {**SUMS, "model": "mine:own", "day": "2026-11-22", "cost_usd": None, "unpriced_requests": 4}


def test_usage_is_shown_by_what_was_asked_for_and_together(gateway: Gateway, rota: Rota) -> None:
    gateway.items("/contexts", {"id": CONTEXT, "name": "home"})
    total = {**SUMS, "unpriced_requests": 4}
    gateway.answer("GET", "/usage", {"items": [GROUP, UNKNOWN], "total": total, "since": "", "until": ""})
    said = rota("usage", "--by", "model", "--by", "day", "-c", "home", "--from", "2026-11-01T00:00Z")
    assert said.code == 0, said.err
    asked = gateway.asked[-1]
    assert asked[2] == {"group_by": "day", "context_id": CONTEXT, "from": "2026-11-01T00:00Z"}
    head, first, second, together = said.out.splitlines()
    assert head.split()[:3] == ["day", "(UTC)", "model"]
    assert first.split()[-3:] == ["123,456", "7,890", "0.4567"]
    assert second.split()[-1] == "unknown"
    assert together.startswith("together")
    assert together.rstrip().endswith("0.4567 +")


def test_where_nothing_was_spent_it_says_so(gateway: Gateway, rota: Rota) -> None:
    gateway.answer("GET", "/usage", {"items": [], "total": SUMS, "since": "", "until": ""})
    assert "nothing was spent" in rota("usage").out
    said = rota("usage", "--by", "year")
    assert (said.code, "context, job, agent, model" in said.err) == (1, True)


def test_a_job_is_shown_with_what_it_costs(gateway: Gateway, rota: Rota) -> None:
    job = "22222222-2222-4222-8222-222222222222"
    gateway.answer("GET", f"/jobs/{job}", {"id": job, "name": "look"})
    usage = {
        "runs": 3,
        "cost_per_run_usd": "0.02",
        "tokens_per_run": 1100,
        "unpriced_requests": 2,
        "forecast_runs": 720,
        "forecast_usd": "14.4",
        "forecast_tokens": 792_000,
    }
    gateway.answer("GET", f"/jobs/{job}/usage", usage)
    gateway.answer("GET", f"/jobs/{job}/usage", {**usage, "tokens_per_run": None})
    said = rota("jobs", "show", job).out
    assert "$0.02 (without 2 requests)" in said
    assert "720 runs, 792,000 tokens, $14.4" in said
    assert "forecast" not in rota("jobs", "show", job).out
    assert "forecast" not in rota("jobs", "show", job, "--json").out
