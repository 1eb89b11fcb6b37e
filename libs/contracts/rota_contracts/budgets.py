"""Periods of budgets: the days and the months of UTC, for everybody alike."""

from datetime import UTC, datetime, timedelta
from typing import Literal

Period = Literal["day", "month"]
Policy = Literal["stop", "pause", "fallback"]
# In percent of a budget: then people are told, once in each period.
WARN_AT = 80


def period_start(period: Period, instant: datetime) -> datetime:
    """When the period began that an instant falls into."""
    day = instant.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return day if period == "day" else day.replace(day=1)


def period_end(period: Period, start: datetime) -> datetime:
    """When the period is over that begins then, and the next one begins."""
    return period_start(period, start + timedelta(days=1 if period == "day" else 32))
