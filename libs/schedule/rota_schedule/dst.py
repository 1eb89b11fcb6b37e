"""The clock of a zone: stretches of time with one offset, and the changes between them.

Everything here counts whole seconds. An instant is a number of seconds since 1970 in UTC; a wall time
is the number that the same clock reading would have in UTC. Wall time = instant + offset.
"""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

DAY = 86_400
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Where wall time of every zone still is a date that Python knows.
FIRST = -62_135_424_000  # 0001-01-03
LAST = 253_402_128_000  # 9999-12-30
# No zone has ever moved its clock by more than a day (Samoa, 2011).
LONGEST_CHANGE = 26 * 3600
# Stretches are found block by block, 388 days each.
BLOCK_BITS = 25


class Stretch(NamedTuple):
    """begin <= instant < end: all with the same offset; `before` is the offset just before `begin`."""

    begin: int
    end: int
    offset: int
    before: int


def second_of(instant: datetime) -> int:
    """The last whole second up to the instant.

    Raises:
        ValueError: `instant` has no time zone.

    """
    if instant.tzinfo is None:
        raise ValueError("the instant has no time zone")
    since = instant - EPOCH
    return since.days * DAY + since.seconds


def instant_of(second: int) -> datetime:
    return EPOCH + timedelta(seconds=second)


def stretch_at(zone: ZoneInfo, second: int) -> Stretch:
    """The stretch that the instant lies in; it may end before the next change does."""
    for stretch in _stretches(zone, second >> BLOCK_BITS):
        if second < stretch.end:
            return stretch
    raise AssertionError("a block covers all of its seconds")


def instants_of(zone: ZoneInfo, wall: int) -> tuple[list[int], int | None]:
    """The instants at which the clock shows `wall`; where it skips it, none, and the end of the gap."""
    found = []
    second, limit = wall - LONGEST_CHANGE, wall + LONGEST_CHANGE
    while second <= limit:
        stretch = stretch_at(zone, second)
        if stretch.begin + stretch.before <= wall < stretch.begin + stretch.offset:
            return [], stretch.begin
        if second <= wall - stretch.offset < stretch.end:
            found.append(wall - stretch.offset)
        second = stretch.end
    return found, None


@lru_cache(maxsize=8_192)
def _stretches(zone: ZoneInfo, block: int) -> tuple[Stretch, ...]:
    # Two days more, so that the stretch after a change just before the block knows about it. Looking
    # once a day finds every change: no zone has ever changed twice in a day (a test looks at all).
    begin, end = (block << BLOCK_BITS) - 2 * DAY, (block + 1) << BLOCK_BITS
    found = []
    since, offset = begin, _offset(zone, begin)
    before = offset
    for probe in (*range(begin + DAY, end - 1, DAY), end - 1):
        if (changed := _offset(zone, probe)) != offset:
            change = _change(zone, probe - DAY, probe)
            found.append(Stretch(since, change, offset, before))
            since, before, offset = change, offset, changed
    return (*found, Stretch(since, end, offset, before))


def _change(zone: ZoneInfo, before: int, after: int) -> int:
    """The first second with another offset than that of `before`."""
    offset = _offset(zone, before)
    while after - before > 1:
        middle = (before + after) // 2
        if _offset(zone, middle) == offset:
            before = middle
        else:
            after = middle
    return after


def _offset(zone: ZoneInfo, second: int) -> int:
    offset = instant_of(min(max(second, FIRST), LAST)).astimezone(zone).utcoffset()
    assert offset is not None
    return offset.days * DAY + offset.seconds
