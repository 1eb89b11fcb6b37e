"""The definition of a schedule, taken literally: look at every single minute, or second."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)

ODD_ZONES = [
    "UTC",
    "Africa/Cairo",
    "Africa/Casablanca",
    "America/New_York",
    "America/Nuuk",
    "America/Sao_Paulo",
    "America/St_Johns",
    "Antarctica/Troll",
    "Asia/Gaza",
    "Asia/Kathmandu",
    "Asia/Pyongyang",
    "Asia/Tehran",
    "Australia/Lord_Howe",
    "Europe/Berlin",
    "Europe/Dublin",
    "Europe/Istanbul",
    "Pacific/Apia",
    "Pacific/Chatham",
]


@dataclass(frozen=True)
class Reference:
    """Five or six plain fields (numbers, ranges, steps, lists) and the rule for changes of the clock."""

    expression: str
    zone: ZoneInfo
    dst_gap: str = "shift"
    dst_repeat: str = "first"

    def between(self, after: datetime, until: datetime) -> list[datetime]:
        """All instants with after < instant <= until."""
        step = SECOND if len(self.expression.split()) == 6 else MINUTE
        first = after.replace(second=0, microsecond=0) if step == MINUTE else after.replace(microsecond=0)
        number = (until - first) // step
        seen = (first + step * index for index in range(1, number + 1))
        matches, elapsed = self.matcher(), self.elapsed()
        found = []
        before = first.astimezone(self.zone).utcoffset()
        for instant in seen:
            local = instant.astimezone(self.zone)
            once = local.fold == 0 or elapsed or self.dst_repeat == "both"
            due = once and matches(local.replace(tzinfo=None))
            if local.utcoffset() != before and not elapsed and self.dst_gap == "shift":
                assert before is not None
                skipped = (instant + before).replace(tzinfo=None)
                while skipped < local.replace(tzinfo=None):
                    due = due or matches(skipped)
                    skipped += step
            if due:
                found.append(instant)
            before = local.utcoffset()
        return found

    def elapsed(self) -> bool:
        """Debian: a star in the minute or the hour makes a job one that follows elapsed time."""
        minute, hour = self.expression.split()[-5:-3]
        return "*" in minute or "*" in hour

    def matcher(self) -> Callable[[datetime], bool]:
        second, minute, hour, date, month, weekday = ["0", *self.expression.split()][-6:]
        seconds, minutes, hours = values(second, 0, 59), values(minute, 0, 59), values(hour, 0, 23)
        dates, months, weekdays = values(date, 1, 31), values(month, 1, 12), values(weekday, 0, 6)
        join = all if date.startswith("*") or weekday.startswith("*") else any

        def matches(wall: datetime) -> bool:
            return (
                wall.second in seconds
                and wall.minute in minutes
                and wall.hour in hours
                and wall.month in months
                and join((wall.day in dates, wall.isoweekday() % 7 in weekdays))
            )

        return matches


def values(text: str, low: int, high: int) -> set[int]:
    """What a field without names says."""
    found = set()
    for each in text.split(","):
        spread, _, step = each.partition("/")
        begin, _, end = (f"{low}-{high}" if spread == "*" else spread).partition("-")
        last = int(end) if end else high if step else int(begin)
        found |= set(range(int(begin), last + 1, int(step or 1)))
    return found


@lru_cache
def changes(zone: str) -> list[datetime]:
    """Instants within an hour after the changes of the clock from 2000 to 2035; noon when there are none."""
    clock = ZoneInfo(zone)
    begin = datetime(2000, 1, 1, tzinfo=UTC)
    found = []
    for day in range(35 * 365):
        start = begin + timedelta(days=day)
        if start.astimezone(clock).utcoffset() != (start + timedelta(days=1)).astimezone(clock).utcoffset():
            hours = (start + HOUR * hour for hour in range(1, 25))
            offset = start.astimezone(clock).utcoffset()
            found.append(next(hour for hour in hours if hour.astimezone(clock).utcoffset() != offset))
    return found or [datetime(2026, 6, 1, 12, tzinfo=UTC)]
