"""Pure decisions about what a job's reader is told."""

from collections.abc import Mapping
from datetime import datetime
from itertools import islice, pairwise
from typing import Any, Literal

from rota_schedule import Schedule, ScheduleError, parse

JobStatus = Literal["active", "paused", "running", "error"]


def job_status(job: Mapping[str, Any]) -> JobStatus:
    if not job["is_enabled"]:
        return "paused"
    if job["is_running"]:
        return "running"
    if job["last_run_status"] == "error" or job["schedule_error"]:
        return "error"
    return "active"


def next_run_at(job: Mapping[str, Any], now: datetime) -> datetime | None:
    """The ticker's plan where it has one for this definition, else what it is about to plan."""
    if not job["is_enabled"]:
        return None
    if job["is_planned"]:
        planned: datetime | None = job["next_run_at"]
        return planned
    try:
        schedule = parse(
            job["cron_expression"], job["timezone"], dst_gap=job["dst_gap"], dst_repeat=job["dst_repeat"]
        )
    except ScheduleError:
        return None
    return schedule.next_after(now)


def shortest_period_seconds(schedule: Schedule, now: datetime) -> float | None:
    """The shortest time between two of the next 200 instants; None when there are not two."""
    instants = list(islice(schedule.after(now), 200))
    return min(((later - earlier).total_seconds() for earlier, later in pairwise(instants)), default=None)
