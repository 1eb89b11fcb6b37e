"""A job as the API and the pages show it."""

from datetime import UTC, date, datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import Field

from rota_contracts.events import JobChanged
from rota_gateway.api.answers import Answer, Instant
from rota_gateway.domain.jobs import JobStatus, told
from rota_gateway.repository.connection import Row


class Job(Answer):
    id: UUID
    context_id: UUID
    context_name: str
    name: str
    description: str | None
    cron_expression: str
    seconds_field: bool
    timezone: str
    dst_gap: Literal["shift", "skip"]
    dst_repeat: Literal["first", "both"]
    start_at: Instant | None
    end_at: Instant | None
    max_runs: int | None
    jitter_seconds: int
    excluded_dates: list[date]
    excluded_instants: list[Instant] = Field(description="single ones that were skipped")
    calendars: list[str]
    schedule_description: str | None = Field(description="a sentence in words")
    overlap_policy: Literal["skip", "buffer_one", "allow", "cancel_other"]
    catch_up_policy: Literal["latest", "all", "skip"]
    catch_up_window_seconds: int
    catch_up_max_runs: int
    agent_name: str
    skill_prompt: str
    tool: str | None
    arguments: dict[str, Any]
    is_enabled: bool
    pause_reason: str | None
    paused_by: str | None = Field(description="a person, or `ticker` after too many failures")
    paused_at: Instant | None
    paused_until: Instant | None
    status: JobStatus
    schedule_error: str | None
    notification_channel: str | None
    notification_target: str | None
    timeout_seconds: int
    max_retries: int
    retry_backoff: Literal["fixed", "exponential"]
    retry_backoff_seconds: int
    retry_backoff_max_seconds: int
    priority: int
    queue_ttl_seconds: int | None
    auto_pause_after: int | None
    continuity: Literal["none", "last_outcome", "last_n_outcomes", "conversation"]
    continuity_outcomes: int
    continuity_max_chars: int
    approval_expiry_seconds: int | None = Field(description="null: as its agent says, else a day")
    approval_expiry_action: Literal["deny", "fail"] | None = Field(
        description="null: as its agent says, else deny"
    )
    owner_id: UUID | None
    last_run_id: UUID | None
    last_run_at: Instant | None
    last_run_status: Literal["success", "error", "partial"] | None
    last_run_result: str | None
    last_run_duration_ms: int | None
    next_run_at: Instant | None = Field(description="the nominal instant")
    next_effective_at: Instant | None = Field(description="when it really starts: with the jitter")
    run_count: int
    error_count: int
    created_at: Instant
    updated_at: Instant


def shown(job: Row) -> Job:
    """A row of the repository as the API and the pages show it."""
    return Job.model_validate({**job, **told(job, datetime.now(UTC))})


def change_of(job: Row, change: Literal["created", "updated", "deleted"]) -> JobChanged:
    return JobChanged(
        context_id=job["context_id"], job_id=job["id"], generation=job["generation"], change=change
    )
