"""Five-field cron in a time zone, with a stated rule for daylight saving.

The expression is evaluated on the wall clock, as if the zone had no changes, and each wall time is
then mapped to an instant by the rule here, which is that of Debian's cron(8):

- a job at fixed times runs once on the day of a change: a time that the clock skips (gap) runs at
  the first instant after the gap (`shift`) or not at all (`skip`); a time that occurs twice (repeat)
  runs the first time (`first`) or both times (`both`);
- a job with `*` in its minute or hour field follows elapsed time: skipped wall times do not run,
  repeated ones run both times.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Literal
from zoneinfo import ZoneInfo

from croniter import CroniterBadDateError, CroniterError, croniter

from rota_schedule.errors import ScheduleError

Gap = Literal["shift", "skip"]
Repeat = Literal["first", "both"]

FIELDS = ("minute", "hour", "day of month", "month", "day of week")
MAX_LENGTH = 200
# The 29th of February of a leap year on a given weekday comes at most this many years apart.
HORIZON_YEARS = 41
# No zone has ever moved its clock by more than a day (Samoa, 2011).
LONGEST_CHANGE = timedelta(hours=26)


@dataclass(frozen=True)
class Schedule:
    """A parsed schedule; make one with `parse`."""

    expression: str
    zone: ZoneInfo
    dst_gap: Gap = "shift"
    dst_repeat: Repeat = "first"

    @property
    def follows_elapsed_time(self) -> bool:
        minute, hour, *_ = self.expression.split()
        return "*" in minute or "*" in hour

    def next_after(self, instant: datetime) -> datetime | None:
        """The first instant of the schedule after `instant`, in UTC; None when there is none any more.

        Raises:
            ValueError: `instant` has no time zone.

        """
        return next(self.after(instant), None)

    def between(self, after: datetime, until: datetime) -> Iterator[datetime]:
        """The instants with after < instant <= until, in UTC and in order."""
        for instant in self.after(after):
            if instant > until:
                return
            yield instant

    def after(self, instant: datetime) -> Iterator[datetime]:
        """All instants after `instant`, in UTC and in order, without end or until none is left."""
        if instant.tzinfo is None:
            raise ValueError("the instant has no time zone")
        start = instant.astimezone(UTC)
        # Where a clock change repeats wall times their instants are out of order: held until it is passed.
        held: list[datetime] = []
        last = start
        for wall in self._wall_times(start):
            instants = self._instants(wall)
            if held or len(instants) != 1:
                held += instants
                instants = self._take_until(held, wall.replace(tzinfo=self.zone).astimezone(UTC))
            for each in instants:
                if each > last:
                    last = each
                    yield each
        yield from (rest for rest in sorted(held) if rest > last)

    @staticmethod
    def _take_until(held: list[datetime], limit: datetime) -> list[datetime]:
        ready = sorted(one for one in held if one < limit)
        held[:] = [one for one in held if one >= limit]
        return ready

    def _wall_times(self, start: datetime) -> Iterator[datetime]:
        begin = start.astimezone(self.zone).replace(tzinfo=None) - self._change_around(start)
        times = croniter(
            self.expression, begin, max_years_between_matches=HORIZON_YEARS, implement_cron_bug=True
        )
        while True:
            try:
                yield times.get_next(datetime)
            except (CroniterBadDateError, OverflowError):
                return

    def _change_around(self, instant: datetime) -> timedelta:
        """By how much the clock is moved near `instant`; earlier wall times may lie after it then."""
        before = (instant - LONGEST_CHANGE).astimezone(self.zone).utcoffset()
        after = (instant + LONGEST_CHANGE).astimezone(self.zone).utcoffset()
        assert before is not None
        assert after is not None
        return abs(after - before)

    def _instants(self, wall: datetime) -> list[datetime]:
        """The instants of one wall time: none or one in a gap, one or two where it is repeated."""
        first = wall.replace(tzinfo=self.zone, fold=0).astimezone(UTC)
        second = wall.replace(tzinfo=self.zone, fold=1).astimezone(UTC)
        if first.astimezone(self.zone).replace(tzinfo=None) != wall:
            if self.follows_elapsed_time or self.dst_gap == "skip":
                return []
            return [self._end_of_gap(second, first)]
        if first == second:
            return [first]
        return [first, second] if self.follows_elapsed_time or self.dst_repeat == "both" else [first]

    def _end_of_gap(self, before: datetime, after: datetime) -> datetime:
        """The instant between the two at which the offset changes, to the second."""
        offset = before.astimezone(self.zone).utcoffset()
        while after - before > timedelta(seconds=1):
            middle = (before + (after - before) / 2).replace(microsecond=0)
            if middle.astimezone(self.zone).utcoffset() == offset:
                before = middle
            else:
                after = middle
        return after


@lru_cache(maxsize=10_000)
def parse(
    expression: str, timezone: str = "UTC", *, dst_gap: Gap = "shift", dst_repeat: Repeat = "first"
) -> Schedule:
    """The schedule of a five-field cron expression in an IANA time zone.

    Raises:
        ScheduleError: names the field (`cron_expression` or `timezone`), the reason and the place.

    """
    return Schedule(_checked(expression), _zone(timezone), dst_gap, dst_repeat)


def _zone(name: str) -> ZoneInfo:
    try:
        if not name or len(name) > MAX_LENGTH:
            raise ValueError  # noqa: TRY301  told below, with every other bad name
        return ZoneInfo(name)
    except (KeyError, OSError, ValueError) as error:  # unknown, or no name at all ("../x", a directory, "")
        raise ScheduleError(
            "timezone", f"{name[:60]!r} is not an IANA time zone such as Europe/Berlin"
        ) from error


def _checked(expression: str) -> str:
    if len(expression) > MAX_LENGTH:
        raise ScheduleError(
            "cron_expression", f"has {len(expression)} characters, at most {MAX_LENGTH} are allowed"
        )
    fields = expression.split()
    if len(fields) != len(FIELDS):
        raise ScheduleError(
            "cron_expression",
            f"has {len(fields)} fields; five are needed: {', '.join(FIELDS)}",
        )
    for name, field in zip(FIELDS, fields, strict=True):
        _check_field(name, field)
    return _checked_whole(" ".join(fields))


def _check_field(name: str, field: str) -> None:
    # croniter also knows R (a random value at each call) and H (a hash): neither is cron.
    if not field.isascii() or any(letter in "RrHh" for letter in _without_names(field)):
        raise ScheduleError("cron_expression", f"the field {name} ({field!r}) is not valid")
    place = FIELDS.index(name)
    alone = " ".join(field if index == place else "*" for index in range(len(FIELDS)))
    if not croniter.is_valid(alone):
        raise ScheduleError("cron_expression", f"the field {name} ({field!r}) is not valid")


def _without_names(field: str) -> str:
    """The field without the names of months and weekdays, some of which have an R or an H."""
    names = "jan feb mar apr may jun jul aug sep oct nov dec sun mon tue wed thu fri sat"
    lowered = field.lower()
    for name in names.split():
        lowered = lowered.replace(name, "")
    return lowered


def _checked_whole(expression: str) -> str:
    try:
        croniter(expression, max_years_between_matches=HORIZON_YEARS, implement_cron_bug=True).get_next()
    except CroniterBadDateError as error:
        raise ScheduleError("cron_expression", f"{expression!r} names a date that never comes") from error
    except (CroniterError, ValueError, OverflowError) as error:
        raise ScheduleError("cron_expression", str(error)) from error
    return expression
