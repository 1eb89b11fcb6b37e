"""Which instants the ledger and the definitions do not agree about."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from rota_gateway.domain.schedules import MOMENT
from rota_schedule import Schedule


class Entry(NamedTuple):
    """A row of the ledger: one instant, or several in a row."""

    first: datetime
    last: datetime
    instants: int


class Gap(NamedTuple):
    """Instants in a row that were due and are in no row, or (`is_surplus`) are in one and were not due."""

    first: datetime
    last: datetime
    instants: int
    is_surplus: bool = False


def gaps(schedule: Schedule, entries: Sequence[Entry], after: datetime, until: datetime) -> Iterator[Gap]:
    """Of after < instant <= until; entries come in order, and none reaches over `until`."""
    begin = after
    for entry in entries:
        if missing := schedule.count(begin, entry.first - MOMENT):
            yield Gap(missing.first, missing.last, missing.count)
        due = schedule.count(max(begin, entry.first - MOMENT), entry.last)
        count = due.count if due else 0
        if count != entry.instants:
            yield Gap(entry.first, entry.last, abs(entry.instants - count), is_surplus=entry.instants > count)
        begin = max(begin, entry.last)
    if missing := schedule.count(begin, until):
        yield Gap(missing.first, missing.last, missing.count)


def is_near(gap: Gap, change: datetime, tolerance: timedelta) -> bool:
    """Whether a gap may be due to which of two definitions an instant was counted under."""
    return change - tolerance <= gap.first and gap.last <= change + tolerance
