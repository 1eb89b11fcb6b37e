"""How close to each other two instants of a schedule can come, apart from changes of the clock."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from datetime import date
from functools import lru_cache
from itertools import combinations_with_replacement, pairwise
from math import gcd
from zoneinfo import ZoneInfo

from rota_schedule.cron import Cron
from rota_schedule.days import EPOCH_DAY, Days
from rota_schedule.dst import DAY, stretch_at
from rota_schedule.expression import Part
from rota_schedule.interval import Interval
from rota_schedule.moment import Moment
from rota_schedule.span import seconds_in
from rota_schedule.times import Times, mask

# The calendar looks the same again after 28 years; leap years left out at the turn of a century
# matter to schedules only whose days are more than a year apart: those are looked at for all 400.
BEGIN_YEAR = 2024
BEGIN = date(BEGIN_YEAR, 1, 1).toordinal() - EPOCH_DAY
YEARS = 28
ALL_YEARS = 400
YEAR = 366


def shortest(parts: Sequence[Part], zone: ZoneInfo) -> int | None:
    """The smallest distance in seconds of two different instants; None when there is one only."""
    regular = [part for part in parts if not isinstance(part, Moment)]
    moments = sorted({second for part in parts if isinstance(part, Moment) for second in part.instants[:1]})
    found = [later - earlier for earlier, later in pairwise(moments)]
    found += [_apart(one, other, zone) for one, other in combinations_with_replacement(regular, 2)]
    for moment in moments if regular else ():
        reach = min(found)
        near = seconds_in(regular, zone, moment - reach, moment, None)
        found += [moment - near[2]] if near else []
        near = seconds_in(regular, zone, moment + 1, moment + reach, 1)
        found += [near[1] - moment] if near else []
    return min(found, default=None)


def _apart(one: Cron | Interval, other: Cron | Interval, zone: ZoneInfo) -> int:
    if isinstance(one, Cron):
        return _crons_apart(one, other) if isinstance(other, Cron) else _mixed_apart(one, other, zone)
    if isinstance(other, Cron):
        return _mixed_apart(other, one, zone)
    return _multiples_apart(one.anchor - other.anchor, gcd(one.period, other.period))


def _multiples_apart(distance: int, step: int) -> int:
    """The smallest distance that is `distance` plus a multiple of `step`, other than none."""
    rest = distance % step
    return min(rest, step - rest) if rest else step


def _crons_apart(one: Cron, other: Cron) -> int:
    found = [
        days * DAY + later.times.first - earlier.times.last
        for earlier, later in ((one, other), (other, one))
        if (days := _days_apart(earlier.days, later.days)) is not None
    ]
    if (same_day := _on_the_same_day(one, other)) is not None:
        found.append(same_day)
    return min(found)


def _on_the_same_day(one: Cron, other: Cron) -> int | None:
    if one is not other and not _days(one.days, YEARS) & _days(other.days, YEARS):
        return None
    return _closest_times(one.times, other.times)


@lru_cache(maxsize=256)
def _closest_times(one: Times, other: Times) -> int | None:
    both = mask(one) | mask(other)
    if both & both >> 1:
        return 1
    # The zeros between two ones: the digits after the last one, and before the first, belong to no pair.
    between = f"{both:b}".split("1")[1:-1]
    return min(map(len, between)) + 1 if between else None


@lru_cache(maxsize=1_024)
def _days_apart(earlier: Days, later: Days) -> int | None:
    """The fewest days, one at least, from a day of the one to a day of the other."""
    if earlier.every and later.every:
        return 1
    near = _first_shift(_days(earlier, YEARS), _days(later, YEARS), range(1, YEAR + 1))
    if near is not None:
        return near
    limit = ALL_YEARS * YEAR
    return _first_shift(_days(earlier, ALL_YEARS), _days(later, ALL_YEARS), range(YEAR, limit))


def _first_shift(earlier: int, later: int, shifts: range) -> int | None:
    return next((shift for shift in shifts if earlier << shift & later), None)


@lru_cache(maxsize=256)
def _days(days: Days, years: int) -> int:
    """The bits of the days, counted from BEGIN."""
    return sum(1 << (day - BEGIN) for day in _listed(days, years))


def _listed(days: Days, years: int) -> Iterator[int]:
    for number in range(years * 12):
        yield from days.of_month(BEGIN_YEAR + number // 12, number % 12 + 1)


def _mixed_apart(cron: Cron, interval: Interval, zone: ZoneInfo) -> int:
    """The times of a day, seen on all of the days, against the multiples of the period."""
    period = interval.period
    times = sorted({cron.times[index] % period for index in range(len(cron.times))})
    found = period
    for midnight in {_midnight(day, zone) % period for day in _listed(cron.days, YEARS)}:
        multiple = (interval.anchor - midnight) % period
        at = bisect_left(times, multiple)
        for index in (at - 1, at, at + 1):
            found = min(found, _multiples_apart(times[index % len(times)] - multiple, period))
    return found


def _midnight(day: int, zone: ZoneInfo) -> int:
    """With the offset that holds for most of the day when it changes in it."""
    return day * DAY - stretch_at(zone, (day + 1) * DAY).offset
