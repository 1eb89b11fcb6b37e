"""At which times of a day a schedule is due, in seconds since midnight."""

from bisect import bisect_left
from functools import lru_cache

from rota_schedule.fields import Field, field


class Times:
    """All combinations of some hours, minutes and seconds, in order."""

    def __init__(self, hours: Field, minutes: Field, seconds: Field) -> None:
        self.hours = hours
        self.minutes = minutes
        self.seconds = seconds
        self._per_minute = len(seconds.values)
        self._per_hour = len(minutes.values) * self._per_minute
        self._count = len(hours.values) * self._per_hour
        self.first = self[0]
        self.last = self[self._count - 1]

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> int:
        hour, rest = divmod(index, self._per_hour)
        minute, second = divmod(rest, self._per_minute)
        return self.hours.values[hour] * 3600 + self.minutes.values[minute] * 60 + self.seconds.values[second]

    def rank(self, time: int) -> int:
        """How many of them are before `time`."""
        hour, rest = divmod(time, 3600)
        minute, second = divmod(rest, 60)
        hours, minutes = self.hours.values, self.minutes.values
        at = bisect_left(hours, hour)
        if at == len(hours) or hours[at] != hour:
            return at * self._per_hour
        rank = at * self._per_hour
        at = bisect_left(minutes, minute)
        if at == len(minutes) or minutes[at] != minute:
            return rank + at * self._per_minute
        return rank + at * self._per_minute + bisect_left(self.seconds.values, second)

    def since(self, time: int) -> int | None:
        """The first of them from `time` on."""
        rank = self.rank(time)
        return self[rank] if rank < self._count else None


@lru_cache(maxsize=4_096)
def times(hours: str, minutes: str, seconds: str) -> Times:
    return Times(field("hour", hours), field("minute", minutes), field("second", seconds))


# One bit per second of the day makes 11 kB each.
@lru_cache(maxsize=256)
def mask(times: Times) -> int:
    """A day with the bit of each of the times set."""
    minute = sum(1 << second for second in times.seconds.values)
    hour = sum(minute << 60 * each for each in times.minutes.values)
    return sum(hour << 3600 * each for each in times.hours.values)
