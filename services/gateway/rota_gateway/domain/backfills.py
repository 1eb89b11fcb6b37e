"""Which instants of the past are run late."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from rota_gateway.domain.schedules import MOMENT, exclusions_of, schedule_of
from rota_schedule import ScheduleError

MAX_INSTANTS = 1_000


class BackfillError(ValueError):
    """`field` is the part of the request that is wrong."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(reason)
        self.field = field
        self.reason = reason


def backfilled(job: Mapping[str, Any], start: datetime, end: datetime, now: datetime) -> list[datetime]:
    """The instants from `start` to `end`, both included, that the definition as it is now lets run.

    Raises:
        BackfillError: the range is empty, reaches into the future, or has too many instants.

    """
    if end < start:
        raise BackfillError("end", "is before start")
    if end > now:
        raise BackfillError("end", "is in the future; only what is past can be made up for")
    try:
        schedule = schedule_of(job)
    except ScheduleError as error:
        raise BackfillError("start", f"the job has no valid schedule: {error}") from error
    span = schedule.count(start - MOMENT, end)
    if span is None:
        raise BackfillError("start", "the schedule of the job has no instant from start to end")
    if span.count > MAX_INSTANTS:
        raise BackfillError(
            "end", f"there are {span.count} instants from start to end, at most {MAX_INSTANTS} are allowed"
        )
    # Not the pause: whoever asks for what it left out wants it.
    exclusions = exclusions_of({**job, "paused_until": None}, schedule.zone)
    due = [one for one in schedule.between(start - MOMENT, end) if exclusions.cause(one) is None]
    if not due:
        raise BackfillError("start", "all instants from start to end are excluded by the job")
    return due
