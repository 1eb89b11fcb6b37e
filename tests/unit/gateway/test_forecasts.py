"""What a job may cost: the mean of its runs, as often as it is due in the next thirty days."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from rota_gateway.domain.forecasts import forecast, runs_ahead

NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)


def job(**changes: Any) -> dict[str, Any]:
    values: dict[str, Any] = {
        "cron_expression": "0 7 * * *",
        "timezone": "UTC",
        "dst_gap": "shift",
        "dst_repeat": "first",
        "seconds_field": False,
        "start_at": None,
        "end_at": None,
        "created_at": NOW - timedelta(days=100),
        "is_enabled": True,
        "is_paused_by_ticker": False,
        "paused_until": None,
        "max_runs": None,
        "runs": 12,
    }
    return values | changes


@pytest.mark.parametrize(
    ("changes", "runs"),
    [
        ({}, 30),
        ({"cron_expression": "@hourly"}, 720),
        ({"cron_expression": "0 7 * * 1"}, 5),
        ({"cron_expression": "@every 90s"}, 28_800),
        ({"cron_expression": "@at 2026-11-23T07:00"}, 1),
        ({"cron_expression": "@at 2026-11-21T07:00"}, 0),
        ({"end_at": NOW + timedelta(days=3)}, 3),
        ({"is_enabled": False}, 0),
        ({"is_paused_by_ticker": True}, 0),
        ({"paused_until": NOW + timedelta(days=10)}, 20),
        ({"paused_until": NOW + timedelta(days=40)}, 0),
        ({"paused_until": NOW - timedelta(days=10)}, 30),
        ({"max_runs": 20}, 8),
        ({"max_runs": 12}, 0),
        ({"max_runs": 5, "runs": None}, 5),
        ({"cron_expression": "what people write past the API"}, 0),
    ],
)
def test_a_job_runs_as_often_as_it_is_due(changes: dict[str, Any], runs: int) -> None:
    assert runs_ahead(job(**changes), NOW) == runs


def test_a_month_costs_the_mean_of_the_runs_so_often() -> None:
    past = {"runs": 4, "cost_usd": Decimal("0.02"), "tokens": 1_002}
    ahead = forecast(job(), past, NOW)
    assert (ahead.cost_per_run_usd, ahead.cost_usd) == (Decimal("0.005"), Decimal("0.15"))
    assert (ahead.tokens_per_run, ahead.tokens) == (250, 7_515)


def test_where_nothing_is_known_nothing_is_told() -> None:
    never = forecast(job(), {"runs": 0, "cost_usd": None, "tokens": 0}, NOW)
    assert (never.runs, never.cost_per_run_usd, never.cost_usd, never.tokens) == (30, None, None, None)
    priceless = forecast(job(), {"runs": 2, "cost_usd": None, "tokens": 10}, NOW)
    assert (priceless.cost_usd, priceless.tokens_per_run, priceless.tokens) == (None, 5, 150)
    free = forecast(job(), {"runs": 2, "cost_usd": Decimal(0), "tokens": 10}, NOW)
    assert free.cost_usd == 0
