"""How close to each other two instants of a schedule can come, apart from changes of the clock."""

from bisect import bisect_left, bisect_right
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
NEVER = ALL_YEARS * YEAR * DAY


def shortest(parts: Sequence[Part], zone: ZoneInfo) -> int | None:
    """The smallest distance in seconds of two different instants; None when there is one only."""
    regular = [part for part in parts if not isinstance(part, Moment)]
    moments = sorted({second for part in parts if isinstance(part, Moment) for second in part.instants[:1]})
    best = min((later - earlier for earlier, later in pairwise(moments)), default=NEVER)
    for one, other in combinations_with_replacement(regular, 2):
        best = min(best, _apart(one, other, zone, best))
        if best == 1:
            return best
    for moment in moments if regular else ():
        if near := seconds_in(regular, zone, moment - best, moment, None):
            best = moment - near[2]
        if near := seconds_in(regular, zone, moment + 1, moment + best, 1):
            best = near[1] - moment
    return best if best < NEVER else None


def _apart(one: Cron | Interval, other: Cron | Interval, zone: ZoneInfo, best: int) -> int:
    """The smallest distance of an instant of the one to another instant of the other, if below the best."""
    if isinstance(one, Cron):
        return _crons_apart(one, other, best) if isinstance(other, Cron) else _mixed_apart(one, other, zone)
    if isinstance(other, Cron):
        return _mixed_apart(other, one, zone)
    return _multiples_apart(one.anchor - other.anchor, gcd(one.period, other.period))


def _multiples_apart(distance: int, step: int) -> int:
    """The smallest distance that is `distance` plus a multiple of `step`, other than none."""
    rest = distance % step
    return min(rest, step - rest) if rest else step


def _crons_apart(one: Cron, other: Cron, best: int) -> int:
    if _days(one.days, YEARS) & _days(other.days, YEARS):
        best = min(best, _closest_times(one.times, other.times))
    for earlier, later in {(one, other), (other, one)}:
        days = _days_apart(earlier.days, later.days, best // DAY + 1)
        if days is not None:
            best = min(best, days * DAY + later.times.first - earlier.times.last)
    return best


@lru_cache(maxsize=256)
def _closest_times(one: Times, other: Times) -> int:
    """The smallest distance of two times on a day with both."""
    both = mask(one) | mask(other)
    if both & both >> 1:
        return 1
    # The zeros between two ones: the digits after the last one, and before the first, belong to no pair.
    between = f"{both:b}".split("1")[1:-1]
    return min(map(len, between)) + 1 if between else NEVER


def _days_apart(earlier: Days, later: Days, limit: int) -> int | None:
    """The fewest days, one at least and `limit` at most, from a day of the one to a day of the other."""
    for years, shifts in ((YEARS, range(1, min(limit, YEAR) + 1)), (ALL_YEARS, range(YEAR + 1, limit + 1))):
        if not shifts:
            return None
        ones, others = _days(earlier, years), _days(later, years)
        if found := next((shift for shift in shifts if ones << shift & others), None):
            return found
    return None


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
    for midnight in {midnight % period for midnight in _midnights(cron.days, zone)}:
        multiple = (interval.anchor - midnight) % period
        above = times[bisect_right(times, multiple) % len(times)]
        below = times[bisect_left(times, multiple) - 1]
        found = min(found, (above - multiple) % period or period, (multiple - below) % period or period)
    return found


@lru_cache(maxsize=64)
def _midnights(days: Days, zone: ZoneInfo) -> tuple[int, ...]:
    """When the days begin, with the offset that holds for most of the day when it changes in it."""
    return tuple(day * DAY - stretch_at(zone, (day + 1) * DAY).offset for day in _listed(days, YEARS))
