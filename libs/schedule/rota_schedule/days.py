"""Which days a schedule is for: the day of the month, the month and the day of the week."""

from bisect import bisect_left
from calendar import monthrange
from datetime import date
from functools import lru_cache

from rota_schedule.fields import Field, Nth, field

EPOCH_DAY = date(1970, 1, 1).toordinal()
# The 29th of February of a leap year on a given weekday comes at most this many years apart.
HORIZON_YEARS = 41
LAST_YEAR = 9998
# A month's days are kept; of so many months at most.
KEPT_MONTHS = 120


class Days:
    """The days of a schedule, as numbers: days since 1970-01-01."""

    def __init__(self, dates: Field, months: Field, weekdays: Field) -> None:
        self.dates = dates
        self.months = months
        self.weekdays = weekdays
        self.every = dates.full and months.full and weekdays.full
        self._kept: dict[tuple[int, int], tuple[int, ...]] = {}

    @property
    def both(self) -> bool:
        """Whether the day of the month and the day of the week must both fit; else one is enough."""
        return self.dates.star or self.weekdays.star

    def since(self, day: int) -> int | None:
        """The first day from `day` on; None when there is none within the horizon."""
        if self.every:
            return day
        begin = date.fromordinal(day + EPOCH_DAY)
        year, month = begin.year, begin.month
        for _ in range(HORIZON_YEARS * 12):
            days = self.of_month(year, month)
            if days and days[-1] >= day:
                return days[bisect_left(days, day)]
            year, month = (year, month + 1) if month < 12 else (year + 1, 1)
            if year > LAST_YEAR:
                return None
        return None

    def __contains__(self, day: int) -> bool:
        if self.every:
            return True
        when = date.fromordinal(day + EPOCH_DAY)
        return day in self.of_month(when.year, when.month)

    def of_month(self, year: int, month: int) -> tuple[int, ...]:
        found = self._kept.get((year, month))
        if found is None:
            if len(self._kept) >= KEPT_MONTHS:
                self._kept.clear()
            found = self._kept[year, month] = self._computed(year, month)
        return found

    def _computed(self, year: int, month: int) -> tuple[int, ...]:
        if month not in self.months.values:
            return ()
        # Python's Monday is 0, cron's is 1.
        weekday, length = monthrange(year, month)
        first = (weekday + 1) % 7
        by_date = self._by_date(first, length)
        by_weekday = self._by_weekday(first, length)
        days = by_date & by_weekday if self.both else by_date | by_weekday
        start = date(year, month, 1).toordinal() - EPOCH_DAY - 1
        return tuple(start + day for day in sorted(days))

    def _by_date(self, first: int, length: int) -> set[int]:
        if self.dates.nearest is not None:
            return {_nearest_weekday(self.dates.nearest, first, length)}
        days = {day for day in self.dates.values if day <= length}
        return days | {length} if self.dates.last else days

    def _by_weekday(self, first: int, length: int) -> set[int]:
        if self.weekdays.nth:
            return {
                day
                for weekday, nth in self.weekdays.nth
                for day in _nth(range(1 + (weekday - first) % 7, length + 1, 7), nth)
            }
        return {day for day in range(1, length + 1) if (first + day - 1) % 7 in self.weekdays.values}


@lru_cache(maxsize=4_096)
def days(dates: str, months: str, weekdays: str) -> Days:
    return Days(field("day of month", dates), field("month", months), field("day of week", weekdays))


def _nth(days: range, nth: Nth) -> range:
    if nth == "l":
        return days[-1:]
    return days[nth - 1 : nth]


def _nearest_weekday(day: int, first: int, length: int) -> int:
    """The day from Monday to Friday that is nearest, in the same month."""
    day = min(day, length)
    weekday = (first + day - 1) % 7
    if weekday == 6:
        return day - 1 if day > 1 else day + 2
    if weekday == 0:
        return day + 1 if day < length else day - 2
    return day
