"""Jobs as the clock knows them: the definition, its timer, and the rows of the ledger."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal
from uuid import UUID

from rota_contracts.events import JobSnapshot
from rota_contracts.values import Disposition, Trigger
from rota_schedule import Schedule, parse

Overlap = Literal["skip", "buffer_one", "allow", "cancel_other", "queue"]
CatchUp = Literal["latest", "all", "skip"]
Backoff = Literal["fixed", "exponential"]


@dataclass(frozen=True, slots=True)
class Clockwork:
    """The part of a definition that says when a job is due, and what becomes of it then."""

    cron_expression: str
    seconds_field: bool
    timezone: str
    dst_gap: Literal["shift", "skip"]
    dst_repeat: Literal["first", "both"]
    start_at: datetime | None
    end_at: datetime | None
    max_runs: int | None
    jitter_seconds: int
    excluded_dates: tuple[date, ...]
    excluded_instants: tuple[datetime, ...]
    calendar_dates: tuple[date, ...]
    is_enabled: bool
    paused_until: datetime | None
    catch_up_policy: CatchUp
    catch_up_window_seconds: int
    catch_up_max_runs: int
    overlap_policy: Overlap
    # The phase of @every: when the job was created, unless it has a start.
    created_at: datetime

    def schedule(self) -> Schedule:
        """Raises ScheduleError when the definition was written past the API's checks."""
        return parse(
            self.cron_expression,
            self.timezone,
            dst_gap=self.dst_gap,
            dst_repeat=self.dst_repeat,
            seconds_field=self.seconds_field,
            start_at=self.start_at,
            end_at=self.end_at,
            anchor=(self.start_at or self.created_at.replace(microsecond=0)) if self._has_phase else None,
        )

    @property
    def _has_phase(self) -> bool:
        # Others share a parsed schedule, whenever they were created.
        return "@every" in self.cron_expression.lower()

    @property
    def has_exceptions(self) -> bool:
        """Whether some of its instants are left out."""
        return bool(self.excluded_dates or self.excluded_instants or self.calendar_dates or self.paused_until)


@dataclass(frozen=True, slots=True)
class Job:
    """The definition as it stands now."""

    id: UUID
    context_id: UUID
    owner_id: UUID | None
    name: str
    agent_name: str
    skill_prompt: str
    tool: str | None
    arguments: dict[str, Any]
    timeout_seconds: int
    max_retries: int
    priority: int
    queue_ttl_seconds: int | None
    auto_pause_after: int | None
    resume_catch_up: Literal["none", "latest", "all"]
    resumed_at: datetime | None
    generation: int
    schedule_since: datetime
    updated_at: datetime
    clockwork: Clockwork

    def snapshot(self) -> JobSnapshot:
        return JobSnapshot(
            name=self.name,
            agent_name=self.agent_name,
            skill_prompt=self.skill_prompt,
            cron_expression=self.clockwork.cron_expression,
            timezone=self.clockwork.timezone,
            timeout_seconds=self.timeout_seconds,
            max_retries=self.max_retries,
            generation=self.generation,
            owner_id=self.owner_id,
            tool=self.tool,
            arguments=self.arguments,
        )


@dataclass(frozen=True, slots=True)
class Revision:
    """What the clock went by before."""

    generation: int
    valid_from: datetime
    valid_until: datetime
    clockwork: Clockwork


@dataclass(frozen=True, slots=True)
class Timer:
    """How far a job is accounted for, and when it is due next."""

    job_id: UUID
    planned_generation: int
    accounted_until: datetime
    next_run_at: datetime | None = None
    runs: int = 0
    paused_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """The timer as it is to be; `error` says why the job is never due."""

    job_id: UUID
    generation: int
    accounted_until: datetime
    next_run_at: datetime | None = None
    wake_at: datetime | None = None
    runs: int = 0
    # The pause that the ticker itself ordered, while it lasts.
    paused_at: datetime | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Occurrence:
    """A row of the ledger, as it is first written: open where it has no disposition."""

    run_id: UUID
    job_id: UUID
    context_id: UUID
    scheduled_for: datetime
    effective_at: datetime
    trigger: Trigger = "schedule"
    disposition: Disposition | None = None
    reason_code: str | None = None
    reason: str | None = None
    instants: int = 1
    last_instant: datetime | None = None
    coalesced_into: UUID | None = None
    stands_for: int = 1
    first_instant: datetime | None = None
    priority: int = 5
    is_exclusive: bool = True
    requested_by: UUID | None = None
    prompt_context: str = ""
    queue_ttl_seconds: int | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """The open occurrences of a job."""

    queued: int = 0
    dispatched: int = 0

    @property
    def is_open(self) -> bool:
        return self.queued + self.dispatched > 0


@dataclass(frozen=True, slots=True)
class Decision:
    """What is to be written; `cancels_others` ends what the job has open before."""

    plan: Plan
    occurrences: tuple[Occurrence, ...] = ()
    cancels_others: bool = False
