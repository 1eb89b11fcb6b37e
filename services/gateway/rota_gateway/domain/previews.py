"""The next instants of a schedule, without those that are left out."""

from collections.abc import Iterator
from datetime import datetime

from rota_gateway.domain.schedules import MOMENT, Exclusions, next_allowed
from rota_schedule import Schedule, Upcoming, preview


def next_instants(
    schedule: Schedule, exclusions: Exclusions, after: datetime, count: int
) -> Iterator[Upcoming]:
    """At most `count` of them; the note of one says how many before it are left out."""
    for _ in range(count):
        found = next_allowed(schedule, exclusions, after)
        if found is None:
            return
        instant, left_out_until = found
        [upcoming] = preview(schedule, left_out_until or after, 1)
        if left_out_until is not None:
            span = schedule.count(after, instant - MOMENT)
            said = f"{span.count if span else 0} before this one left out: excluded dates"
            upcoming = upcoming._replace(note="; ".join(filter(None, (said, upcoming.note))))
        yield upcoming
        after = instant
