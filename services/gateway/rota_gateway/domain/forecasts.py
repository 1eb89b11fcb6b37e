"""What a job may cost: the mean of its runs, as often as it is due."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from rota_gateway.domain.schedules import schedule_of
from rota_schedule import ScheduleError

MONTH = timedelta(days=30)
SMALLEST = Decimal("0.000001")


class Forecast(NamedTuple):
    """Of a month to come; None where nothing is known to reckon with."""

    runs: int
    cost_per_run_usd: Decimal | None
    cost_usd: Decimal | None
    tokens_per_run: int | None
    tokens: int | None


def forecast(job: Mapping[str, Any], past: Mapping[str, Any], now: datetime) -> Forecast:
    """From `past`: runs, and what they spent together (`cost_usd`, `tokens`)."""
    ahead, runs = runs_ahead(job, now), past["runs"]
    cost = past["cost_usd"] / runs if runs and past["cost_usd"] is not None else None
    tokens = past["tokens"] / runs if runs else None
    return Forecast(
        runs=ahead,
        cost_per_run_usd=_rounded(cost),
        cost_usd=_rounded(None if cost is None else cost * ahead),
        tokens_per_run=None if tokens is None else round(tokens),
        tokens=None if tokens is None else round(tokens * ahead),
    )


def runs_ahead(job: Mapping[str, Any], now: datetime) -> int:
    """How often the job is due in the next month; days that it leaves out are not taken off."""
    if not job["is_enabled"] or job["is_paused_by_ticker"]:
        return 0
    begin, end = max(now, job["paused_until"] or now), now + MONTH
    if begin >= end:
        return 0
    try:
        span = schedule_of(job).count(begin, end)
    except ScheduleError:
        return 0
    due = span.count if span else 0
    return due if job["max_runs"] is None else max(0, min(due, job["max_runs"] - (job["runs"] or 0)))


def _rounded(amount: Decimal | None) -> Decimal | None:
    return None if amount is None else amount.quantize(SMALLEST)
