"""PostgreSQL's clock may leap ahead: when it is set, or when the machine wakes from sleep.

Leases are written by that clock, and their holders live by a steady one: to them a lease that was leapt
over goes on for as long as it would have without the leap.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

# Less is within the margin by which an executor stops before its lease is over.
NOTABLE = timedelta(seconds=0.2)
# Those of long ago: nothing that was written before them goes on.
MOST = 20


@dataclass(frozen=True, slots=True)
class Look:
    """What the clock said to a question that was asked and answered at two moments of a steady one."""

    now: datetime
    asked: float
    answered: float


@dataclass(frozen=True, slots=True)
class Leap:
    """What ends before `to` was written before the leap, or is long over.

    Unless the clock was set back since: what was written before the leap was written by a transaction before
    the one with the id `before`.
    """

    to: datetime
    by: timedelta
    before: str


def leap_between(before: Look, after: Look) -> timedelta | None:
    """How far the clock leapt ahead between two looks, if it certainly did."""
    passed = timedelta(seconds=after.answered - before.asked)
    by = after.now - before.now - passed
    return by if by > NOTABLE else None


def after(leaps: Sequence[Leap], leap: Leap) -> list[Leap]:
    """With one more: what was written before several of them was leapt over by all of these."""
    return [*(Leap(one.to, one.by + leap.by, one.before) for one in leaps), leap][-MOST:]
