"""What the reader of a job is told beside its definition."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from rota_gateway.domain.schedules import exclusions_of, next_allowed, schedule_of
from rota_schedule import ScheduleError, effective

JobStatus = Literal["active", "paused", "running", "error"]

# Who paused a job that failed too often.
TICKER = "ticker"


def told(job: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """The fields of a job that follow from its row."""
    nominal = next_run_at(job, now)
    return {
        "status": job_status(job, now),
        "next_run_at": nominal,
        "next_effective_at": next_effective_at(job, nominal),
        "schedule_description": _description(job),
        **pause(job),
    }


def is_paused(job: Mapping[str, Any], now: datetime) -> bool:
    """By a person, by the ticker, or until an instant that is still to come."""
    is_waiting = job["paused_until"] is not None and job["paused_until"] > now
    return not job["is_enabled"] or bool(job["is_paused_by_ticker"]) or is_waiting


def job_status(job: Mapping[str, Any], now: datetime) -> JobStatus:
    if is_paused(job, now):
        return "paused"
    if job["is_running"]:
        return "running"
    if job["last_run_status"] == "error" or job["schedule_error"]:
        return "error"
    return "active"


def pause(job: Mapping[str, Any]) -> dict[str, Any]:
    """Why, by whom and since when it is paused; a pause until an instant has none of these."""
    if not job["is_enabled"]:
        return {
            "pause_reason": job["pause_reason"],
            "paused_by": job["paused_by_name"],
            "paused_at": job["disabled_at"],
        }
    if job["is_paused_by_ticker"]:
        return {
            "pause_reason": job["ticker_pause_reason"],
            "paused_by": TICKER,
            "paused_at": job["ticker_paused_at"],
        }
    return {"pause_reason": None, "paused_by": None, "paused_at": None}


def next_run_at(job: Mapping[str, Any], now: datetime) -> datetime | None:
    """The nominal instant: the ticker's plan where it has one for this definition, else what it will plan."""
    if not job["is_enabled"] or job["is_paused_by_ticker"]:
        return None
    if job["is_planned"]:
        planned: datetime | None = job["next_run_at"]
        return planned
    return upcoming(job, now)


def upcoming(job: Mapping[str, Any], after: datetime) -> datetime | None:
    """The first instant after `after` that the definition lets run."""
    if job["max_runs"] is not None and (job["runs"] or 0) >= job["max_runs"]:
        return None
    try:
        schedule = schedule_of(job)
    except ScheduleError:
        return None
    found = next_allowed(schedule, exclusions_of(job, schedule.zone), after)
    return found[0] if found else None


def next_effective_at(job: Mapping[str, Any], nominal: datetime | None) -> datetime | None:
    """When the run of that instant really starts: with its jitter."""
    return nominal and effective(job["id"], nominal, job["jitter_seconds"])


def _description(job: Mapping[str, Any]) -> str | None:
    try:
        return schedule_of(job).describe()
    except ScheduleError:
        return None
