"""Counting instants without enumerating them: a day is a number with one bit per second."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import reduce
from operator import or_
from typing import NamedTuple
from zoneinfo import ZoneInfo

from rota_schedule.dst import DAY, stretch_at
from rota_schedule.expression import Part


class Span(NamedTuple):
    """Some instants in a row: how many, and the first and the last of them."""

    count: int  # type: ignore[assignment]  # the word for it; tuple.count is of no use here
    first: datetime
    last: datetime


def seconds_in(
    parts: Sequence[Part], zone: ZoneInfo, begin: int, end: int, at_most: int | None
) -> tuple[int, int, int] | None:
    """How many instants there are with begin <= instant < end, at most so many, the first and the last."""
    count, first, last = 0, 0, 0
    for origin, mask in _days(parts, zone, begin, end):
        if count == 0:
            first = origin + (mask & -mask).bit_length() - 1
        found = mask.bit_count()
        if at_most is not None and count + found >= at_most:
            return at_most, first, origin + _position(mask, at_most - count)
        count += found
        last = origin + mask.bit_length() - 1
    return (count, first, last) if count else None


def _days(parts: Sequence[Part], zone: ZoneInfo, begin: int, end: int) -> Iterator[tuple[int, int]]:
    """For each day with instants, the instant of its bit 0, and the bits of the instants."""
    while begin < end:
        stretch = stretch_at(zone, begin)
        stop = min(end, stretch.end)
        for day in range((begin + stretch.offset) // DAY, (stop - 1 + stretch.offset) // DAY + 1):
            origin = day * DAY - stretch.offset
            mask = reduce(or_, (part.mask(stretch, day) for part in parts))
            if origin < begin:
                mask = mask >> (begin - origin) << (begin - origin)
            if origin + DAY > stop:
                mask &= (1 << (stop - origin)) - 1
            if mask:
                yield origin, mask
        begin = stop


def _position(mask: int, number: int) -> int:
    """The position of the bit with this number, counted from 1, among those that are set."""
    low, high = 0, mask.bit_length()
    while high - low > 1:
        middle = (low + high) // 2
        if (mask & ((1 << middle) - 1)).bit_count() < number:
            low = middle
        else:
            high = middle
    return low
