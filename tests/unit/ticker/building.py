"""Definitions, timers and revisions with one thing said, and the usual for the rest."""

from dataclasses import fields
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from rota_ticker.domain.jobs import Clockwork, Job, Standing, Timer

JOB = UUID("00000000-0000-4000-8000-000000000001")
CONTEXT = UUID("00000000-0000-4000-8000-00000000000c")
NOBODY = Standing()
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)


def at(text: str) -> datetime:
    """An instant in UTC, written such as 2026-03-02 09:00."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def a_clockwork(**columns: Any) -> Clockwork:
    """Due each full hour, unless `columns` say otherwise."""
    values: dict[str, Any] = {
        "cron_expression": "0 * * * *",
        "seconds_field": False,
        "timezone": "UTC",
        "dst_gap": "shift",
        "dst_repeat": "first",
        "start_at": None,
        "end_at": None,
        "max_runs": None,
        "jitter_seconds": 0,
        "excluded_dates": (),
        "excluded_instants": (),
        "calendar_dates": (),
        "is_enabled": True,
        "paused_until": None,
        "catch_up_policy": "latest",
        "catch_up_window_seconds": 3600,
        "catch_up_max_runs": 100,
        "overlap_policy": "skip",
        "created_at": at("2026-03-01 00:00"),
    }
    assert columns.keys() <= values.keys()
    return Clockwork(**(values | columns))


CLOCKWORK_COLUMNS = {field.name for field in fields(Clockwork)}


def a_job(job_id: UUID = JOB, **columns: Any) -> Job:
    """A job with columns of its own and of its clockwork."""
    clockwork = columns.pop("clockwork", None) or a_clockwork(
        **{name: columns.pop(name) for name in columns.keys() & CLOCKWORK_COLUMNS}
    )
    values: dict[str, Any] = {
        "id": job_id,
        "context_id": CONTEXT,
        "owner_id": None,
        "name": "Morning check",
        "agent_name": "orchestrator",
        "skill_prompt": "Look.",
        "tool": None,
        "arguments": {},
        "timeout_seconds": 300,
        "max_retries": 0,
        "priority": 5,
        "queue_ttl_seconds": None,
        "auto_pause_after": None,
        "resume_catch_up": "none",
        "resumed_at": None,
        "generation": 1,
        "schedule_since": clockwork.created_at,
        "updated_at": clockwork.created_at,
        "clockwork": clockwork,
    }
    assert columns.keys() <= values.keys()
    return Job(**(values | columns))


def a_timer(job: Job, *, accounted: datetime, following: datetime | None = None, **columns: Any) -> Timer:
    """A timer that was planned for the definition as it is."""
    return Timer(job.id, job.generation, accounted, following, **columns)
