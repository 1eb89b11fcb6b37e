"""The next instants as a person sees them, with what the clock of the zone does to them."""

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import NamedTuple

from rota_schedule.dst import DAY, Stretch, instant_of, second_of, stretch_at
from rota_schedule.schedule import Schedule

LONGEST = 100 * 366 * DAY


class Upcoming(NamedTuple):
    """An instant, in UTC and in the zone; `note` says what a change of the clock has to do with it."""

    utc: datetime
    local: datetime
    note: str


def preview(schedule: Schedule, after: datetime, count: int) -> list[Upcoming]:
    """The next `count` instants after `after`, or fewer when there are no more."""
    found = []
    previous = second_of(after)
    for instant in islice(schedule.after(after), count):
        local = instant.astimezone(schedule.zone)
        second = second_of(instant)
        notes = [*_before(schedule, previous, second, local), *_twice(schedule, local)]
        found.append(Upcoming(instant, local, "; ".join(notes)))
        previous = second
    return found


def _before(schedule: Schedule, previous: int, second: int, local: datetime) -> Iterator[str]:
    """What the changes of the clock since the previous instant did."""
    moved = stretch_at(schedule.zone, second).offset - stretch_at(schedule.zone, previous).offset
    for change in _changes(schedule, previous, second):
        by = change.offset - change.before
        fixed = (part.wall_in(change) for part in schedule.parts if not part.elapsed)
        skipped = min((wall for wall in fixed if wall is not None), default=None)
        if skipped is not None and (schedule.dst_gap == "skip" or second == change.begin):
            fate = "is left out" if schedule.dst_gap == "skip" else "runs now instead"
            reading = _reading(skipped, local)
            yield f"{reading} does not exist and {fate}: the clock goes {_direction(by)}"
            moved -= by
        elif second + change.offset < change.begin + change.before:
            # The clock shows this one for the second time, which is told elsewhere.
            moved -= by
    if moved:
        yield f"the clock goes {_direction(moved)} before this one"


def _changes(schedule: Schedule, previous: int, second: int) -> Iterator[Stretch]:
    """The stretches that begin after the previous instant and up to this one."""
    # No more than a century of them: an @at may be thousands of years away.
    at = max(previous, second - LONGEST)
    while (stretch := stretch_at(schedule.zone, at)).end <= second:
        at = stretch.end
        following = stretch_at(schedule.zone, at)
        if following.begin == at and following.offset != following.before:
            yield following


def _twice(schedule: Schedule, local: datetime) -> Iterator[str]:
    other = local.replace(fold=1 - local.fold)
    if other.utcoffset() == local.utcoffset():
        return
    reading = _reading(second_of(local.replace(tzinfo=UTC)), local)
    if local.fold:
        yield f"the clock goes back and shows {reading} for the second time"
        return
    again = "both count" if schedule.is_due(other) else "the second is left out"
    yield f"the clock goes back and shows {reading} twice: {again}"


def _direction(seconds: int) -> str:
    hours, rest = divmod(abs(seconds), 3600)
    minutes, rest = divmod(rest, 60)
    sizes = ((hours, "h"), (minutes, "min"), (rest, "s"))
    words = " ".join(f"{number} {unit}" for number, unit in sizes if number)
    return f"{'forward' if seconds > 0 else 'back'} by {words}"


def _reading(wall: int, local: datetime) -> str:
    """What the clock shows, with the date where it is another one."""
    shown = instant_of(wall).replace(tzinfo=None)
    time = shown.time().isoformat("seconds" if shown.second else "minutes")
    return time if shown.date() == local.date() else f"{shown.date()} {time}"
