"""`@every`: always the same time apart, whatever the clock does."""

from dataclasses import dataclass
from functools import lru_cache

from rota_schedule.dst import DAY, LAST, Stretch

FULL_DAY = (1 << DAY) - 1


@dataclass(frozen=True, eq=False, slots=True)
class Interval:
    """Every `period` seconds, before and after the `anchor` as well as at it."""

    text: str
    period: int
    anchor: int
    elapsed: bool = True
    shifts: bool = False
    repeats: bool = True

    def next_after(self, second: int) -> int | None:
        found = second + self.period - (second - self.anchor) % self.period
        return found if found <= LAST else None

    def mask(self, stretch: Stretch, day: int) -> int:
        """The bits of the seconds of that day, as the clock goes in the stretch, at which it is due."""
        first = (self.anchor - (day * DAY - stretch.offset)) % self.period
        return _comb(self.period) << first & FULL_DAY if first < DAY else 0

    def wall_in(self, _stretch: Stretch) -> int | None:
        """Nothing here is a wall time."""
        return None


@lru_cache(maxsize=64)
def _comb(period: int) -> int:
    """A day with the bit of each multiple of the period set."""
    comb, width = 1, period
    while width < DAY:
        comb |= comb << width
        width *= 2
    return comb
