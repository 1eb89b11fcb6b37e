"""A cron expression in a time zone, with a stated rule for daylight saving.

The expression is evaluated on the wall clock, as if the zone had no changes, and the wall times are
then mapped to instants by the rule here, which is that of Debian's cron(8):

- a job at fixed times runs once on the day of a change: a time that the clock skips (gap) runs at
  the first instant after the gap (`shift`) or not at all (`skip`); a time that occurs twice (repeat)
  runs the first time (`first`) or both times (`both`);
- a job with `*` in its minute or hour field follows elapsed time: skipped wall times do not run,
  repeated ones run both times. The seconds have no say in this.
"""

from dataclasses import dataclass
from typing import Literal
from zoneinfo import ZoneInfo

from rota_schedule.days import Days
from rota_schedule.dst import DAY, Stretch, stretch_at
from rota_schedule.times import Times, mask

Gap = Literal["shift", "skip"]
Repeat = Literal["first", "both"]


@dataclass(frozen=True, eq=False, slots=True)
class Cron:
    """One cron expression of a schedule."""

    text: str
    zone: ZoneInfo
    days: Days
    times: Times
    elapsed: bool
    # Whether a wall time in a gap runs at its end, and whether a repeated one runs twice.
    shifts: bool
    repeats: bool

    def next_after(self, second: int) -> int | None:
        """The first instant after `second`; None when none is left within the horizon."""
        stretch = stretch_at(self.zone, second)
        low = second + stretch.offset + 1
        if not self.repeats:
            low = max(low, stretch.begin + stretch.before)
        wall = self._wall_since(low)
        while wall is not None and wall - stretch.offset >= stretch.end:
            change = stretch.end
            last = stretch.offset
            stretch = stretch_at(self.zone, change)
            if stretch.offset > last and wall < change + stretch.offset:
                if self.shifts:
                    return change
                wall = self._wall_since(change + stretch.offset)
            elif stretch.offset < last and self.repeats:
                wall = self._wall_since(change + stretch.offset)
        return None if wall is None else wall - stretch.offset

    def mask(self, stretch: Stretch, day: int) -> int:
        """The bits of the seconds of that day, as the clock goes in the stretch, at which it is due."""
        found = mask(self.times) if day in self.days else 0
        moved = stretch.offset - stretch.before
        shown = stretch.begin + max(stretch.offset, stretch.before) - day * DAY
        if moved < 0 < shown and not self.repeats:
            found = found >> shown << shown
        if moved > 0 <= shown < DAY and self.shifts and self.wall_in(stretch) is not None:
            found |= 1 << shown
        return found

    def wall_in(self, stretch: Stretch) -> int | None:
        """The first wall time of the schedule that the clock skips when the stretch begins."""
        wall = self._wall_since(stretch.begin + stretch.before)
        return wall if wall is not None and wall < stretch.begin + stretch.offset else None

    def _wall_since(self, wall: int) -> int | None:
        day, time = divmod(wall, DAY)
        found = self.days.since(day)
        if found == day:
            since = self.times.since(time)
            if since is not None:
                return day * DAY + since
            found = self.days.since(day + 1)
        return None if found is None else found * DAY + self.times.first
