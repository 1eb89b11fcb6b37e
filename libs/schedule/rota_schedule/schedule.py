"""A schedule: when a job is due."""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from rota_schedule.cron import Gap, Repeat
from rota_schedule.dst import FIRST, LAST, instant_of, second_of
from rota_schedule.errors import ScheduleError
from rota_schedule.expression import MAX_LENGTH, Frame, Part, read
from rota_schedule.moment import Moment
from rota_schedule.period import shortest
from rota_schedule.span import Span, seconds_in
from rota_schedule.words import sentence


@dataclass(frozen=True, slots=True)
class Schedule:
    """A parsed schedule; make one with `parse`. All instants that it gives are in UTC."""

    expression: str
    zone: ZoneInfo
    dst_gap: Gap
    dst_repeat: Repeat
    start_at: datetime | None
    end_at: datetime | None
    anchor: datetime | None
    parts: tuple[Part, ...] = field(compare=False, repr=False)
    # The bounds in whole seconds, both inclusive.
    begin: int = field(compare=False, repr=False)
    end: int = field(compare=False, repr=False)

    def next_after(self, instant: datetime) -> datetime | None:
        """The first instant of the schedule after `instant`; None when there is none any more.

        Raises:
            ValueError: `instant` has no time zone.

        """
        found = self._next(second_of(instant))
        return None if found is None else instant_of(found)

    def is_due(self, instant: datetime) -> bool:
        """Whether the instant is one of the schedule."""
        return self._next(second_of(instant) - 1) == second_of(instant) and not instant.microsecond

    def after(self, instant: datetime) -> Iterator[datetime]:
        """All instants after `instant`, in order, without end or until none is left."""
        return map(instant_of, self._after(second_of(instant)))

    def between(self, after: datetime, until: datetime) -> Iterator[datetime]:
        """The instants with after < instant <= until, in order."""
        limit = second_of(until)
        for second in self._after(second_of(after)):
            if second > limit:
                return
            yield instant_of(second)

    def count(self, after: datetime, until: datetime, at_most: int | None = None) -> Span | None:
        """How many instants there are with after < instant <= until, the first, and the last.

        With `at_most`, of the first so many of them. None when there are none. Takes some
        microseconds for each day of the range, however many instants it has.
        """
        if at_most is not None and at_most < 1:
            return None
        begin = max(second_of(after) + 1, self.begin)
        end = min(second_of(until), self.end) + 1
        found = seconds_in(self.parts, self.zone, begin, end, at_most)
        return None if found is None else Span(found[0], instant_of(found[1]), instant_of(found[2]))

    def shortest_period(self) -> timedelta | None:
        """The shortest time between two instants that there can be, apart from changes of the clock.

        None when there is one instant only.
        """
        seconds = shortest(self.parts, self.zone)
        return None if seconds is None else timedelta(seconds=seconds)

    def describe(self) -> str:
        """A sentence in words."""
        return sentence(self.parts, self.zone, self.start_at, self.end_at)

    def _next(self, second: int) -> int | None:
        second = max(second, self.begin - 1)
        if second >= self.end:
            return None
        if len(self.parts) == 1:
            found = self.parts[0].next_after(second)
        else:
            each = (part.next_after(second) for part in self.parts)
            found = min((one for one in each if one is not None), default=None)
        return found if found is not None and found <= self.end else None

    def _after(self, second: int) -> Iterator[int]:
        """The instants after it, each once."""
        last = max(second, self.begin - 1)
        if last >= self.end:
            return
        for found in heapq.merge(*(_following(part, last) for part in self.parts)):
            if found > self.end:
                return
            if found > last:
                last = found
                yield found


def _following(part: Part, second: int) -> Iterator[int]:
    following = part.next_after(second)
    while following is not None:
        yield following
        following = part.next_after(following)


def parse(
    expression: str,
    timezone: str = "UTC",
    *,
    dst_gap: Gap = "shift",
    dst_repeat: Repeat = "first",
    seconds_field: bool = False,
    start_at: datetime | None = None,
    end_at: datetime | None = None,
    anchor: datetime | None = None,
) -> Schedule:
    """The schedule of an expression in an IANA time zone, between two bounds (inclusive).

    An expression is five cron fields, with `seconds_field` also six (the second in front), a
    nickname (`@daily`), `@every 1h30m` (counted from `anchor`; without one from `start_at`, else
    from 1970), `@at 2027-01-31T09:00`, or several of these, with `;` between them.

    Raises:
        ScheduleError: names the field (`cron_expression`, `timezone`, `start_at`, `end_at` or
            `anchor`), the reason and the place.

    """
    return _parsed(expression, timezone, dst_gap, dst_repeat, seconds_field, start_at, end_at, anchor)


@lru_cache(maxsize=10_000)
def _parsed(
    expression: str,
    timezone: str,
    dst_gap: Gap,
    dst_repeat: Repeat,
    seconds_field: bool,
    start_at: datetime | None,
    end_at: datetime | None,
    anchor: datetime | None,
) -> Schedule:
    zone = _zone(timezone)
    begin = FIRST if start_at is None else _bound("start_at", start_at, up=True)
    end = LAST if end_at is None else _bound("end_at", end_at)
    if start_at is not None and end_at is not None and end_at < start_at:
        raise ScheduleError("end_at", "is before start_at")
    origin = anchor or start_at
    phase = 0 if origin is None else _bound("anchor", origin, up=True)
    normal, parts = read(expression, Frame(zone, dst_gap, dst_repeat, seconds_field, phase))
    return Schedule(normal, zone, dst_gap, dst_repeat, start_at, end_at, anchor, parts, begin, end)


def check(schedule: Schedule, now: datetime) -> None:
    """Refuses a schedule of which nothing is due after `now`.

    Raises:
        ScheduleError: an `@at` is in the past, or the bounds leave nothing to be due.

    """
    if schedule.next_after(now) is not None:
        return
    second = second_of(now)
    if all(part.next_after(second) is None for part in schedule.parts):
        texts = " and ".join(part.text for part in schedule.parts if isinstance(part, Moment))
        raise ScheduleError("cron_expression", f"{texts} is in the past")
    if schedule.end <= second:
        raise ScheduleError("end_at", "is in the past")
    if schedule.end_at is not None:
        raise ScheduleError("end_at", "nothing is due until then")
    raise ScheduleError("start_at", "nothing is due from then on")


# Files beside the zones: what this machine is set to, and counts with leap seconds in them.
NO_ZONES = ("localtime", "posixrules", "posix/", "right/", "Factory")


def _bound(field_name: str, instant: datetime, *, up: bool = False) -> int:
    if instant.tzinfo is None:
        raise ScheduleError(field_name, "has no time zone; write it with Z or an offset such as +01:00")
    second = second_of(instant)
    if not FIRST <= second < LAST:
        raise ScheduleError(field_name, "is at the very edge of the calendar")
    return second + 1 if up and instant.microsecond else second


def _zone(name: str) -> ZoneInfo:
    try:
        if not name or len(name) > MAX_LENGTH or name.startswith(NO_ZONES):
            raise ValueError  # noqa: TRY301  told below, with every other bad name
        return ZoneInfo(name)
    except (KeyError, OSError, ValueError) as error:  # unknown, or no name at all ("../x", a directory, "")
        raise ScheduleError(
            "timezone", f"{name[:60]!r} is not an IANA time zone such as Europe/Berlin"
        ) from error
