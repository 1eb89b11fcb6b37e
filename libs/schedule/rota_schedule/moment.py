"""`@at`: one instant."""

from dataclasses import dataclass

from rota_schedule.dst import DAY, Stretch


@dataclass(frozen=True, eq=False, slots=True)
class Moment:
    """The instants of one moment: a wall time that is repeated has two."""

    text: str
    instants: tuple[int, ...]
    # The wall time that was asked for, if it was one.
    wall: int | None
    shifts: bool
    repeats: bool
    elapsed: bool = False

    def next_after(self, second: int) -> int | None:
        return next((instant for instant in self.instants if instant > second), None)

    def mask(self, stretch: Stretch, day: int) -> int:
        """The bits of the seconds of that day, as the clock goes in the stretch, at which it is due."""
        times = (instant + stretch.offset - day * DAY for instant in self.instants)
        return sum(1 << time for time in times if 0 <= time < DAY)

    def wall_in(self, stretch: Stretch) -> int | None:
        """The wall time, if the clock skips it when the stretch begins."""
        if self.wall is None:
            return None
        skipped = stretch.begin + stretch.before <= self.wall < stretch.begin + stretch.offset
        return self.wall if skipped else None
