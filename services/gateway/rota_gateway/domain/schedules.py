"""What a definition means: its schedule, and the instants that are left out of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Any, Literal
from zoneinfo import ZoneInfo

from rota_schedule import Schedule, parse

MOMENT = timedelta(microseconds=1)
Cause = Literal["paused", "excluded_dates", "calendars", "excluded_instants"]


def schedule_of(definition: Mapping[str, Any]) -> Schedule:
    """The schedule of a row of scheduled_jobs, or of what is to become one.

    Raises:
        ScheduleError: the definition was written past the API's checks.

    """
    expression = definition["cron_expression"]
    # Only @every counts from somewhere; others share a parsed schedule, whenever they were created.
    has_phase = "@every" in expression.lower()
    created_at: datetime = definition["created_at"]
    return parse(
        expression,
        definition["timezone"],
        dst_gap=definition["dst_gap"],
        dst_repeat=definition["dst_repeat"],
        seconds_field=definition["seconds_field"],
        start_at=definition["start_at"],
        end_at=definition["end_at"],
        anchor=(definition["start_at"] or created_at.replace(microsecond=0)) if has_phase else None,
    )


@lru_cache(maxsize=4_096)
def shortest_period(schedule: Schedule) -> timedelta | None:
    """Many jobs have the same schedule, and some take milliseconds to look at."""
    return schedule.shortest_period()


@dataclass(frozen=True, slots=True)
class Exclusions:
    """What a definition leaves out of its schedule."""

    zone: ZoneInfo
    dates: frozenset[date]
    calendar_dates: frozenset[date]
    instants: frozenset[datetime]
    paused_until: datetime | None

    def cause(self, instant: datetime) -> Cause | None:
        """Why an instant is left out; None when it is not."""
        if self.paused_until and instant < self.paused_until:
            return "paused"
        if instant in self.instants:
            return "excluded_instants"
        day = instant.astimezone(self.zone).date()
        if day in self.dates:
            return "excluded_dates"
        return "calendars" if day in self.calendar_dates else None

    def end(self, instant: datetime) -> datetime | None:
        """Until when, itself included, an instant and what follows it are left out; None when it is not."""
        cause = self.cause(instant)
        if cause == "paused" and self.paused_until:
            return self.paused_until - MOMENT
        if cause == "excluded_instants":
            return instant
        if cause is None:
            return None
        following = instant.astimezone(self.zone).date() + timedelta(days=1)
        return datetime.combine(following, time(), self.zone).astimezone(UTC) - MOMENT


def exclusions_of(definition: Mapping[str, Any], zone: ZoneInfo) -> Exclusions:
    return Exclusions(
        zone,
        frozenset(definition["excluded_dates"]),
        frozenset(definition["calendar_dates"]),
        frozenset(definition["excluded_instants"]),
        definition["paused_until"],
    )


def next_allowed(
    schedule: Schedule, exclusions: Exclusions, after: datetime
) -> tuple[datetime, datetime | None] | None:
    """The first instant after `after` that is not left out, and the end of what was left out before it."""
    begin, left_out = after, None
    while (instant := schedule.next_after(begin)) is not None:
        end = exclusions.end(instant)
        if end is None:
            return instant, left_out
        begin = left_out = end
    return None
