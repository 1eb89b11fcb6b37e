"""The events: immutable, versioned by `TYPE`, new fields always with a default.

Instants are aware datetimes in UTC, durations carry their unit in the name. An event never
carries a secret; what is long lives in PostgreSQL and is referred to by id.
"""

from collections.abc import Callable
from typing import Annotated, Any, ClassVar, Literal
from uuid import UUID

from msgspec import Meta, Struct, to_builtins

from rota_contracts.transcript import ProgressStep
from rota_contracts.values import (
    Attempt,
    ContentBlock,
    Count,
    Disposition,
    ErrorKind,
    Instant,
    ModelUsage,
    PendingAction,
    RehearsedCall,
    ReportedOutcome,
    RunStatus,
    Trigger,
    Usage,
)

# An id as it stands on the wire; several times as fast as str() of a UUID.
_text: Callable[[object], Any] = to_builtins


class Event(Struct, frozen=True, kw_only=True):
    """What every event has: a type, a subject, an id for deduplication, a trace.

    The class variables name fields; with them a subclass says all there is to say about the three.
    """

    TYPE: ClassVar[str]
    NAME: ClassVar[str]
    # Whose id is the last token of the subject; nobody's where it is empty.
    ABOUT: ClassVar[str] = "job_id"
    # What tells two facts of the same name apart.
    IDENTITY: ClassVar[tuple[str, ...]] = ("run_id",)
    # Of a run, its id, so that the run and its trace find one another.
    TRACE: ClassVar[str] = "run_id"

    context_id: UUID

    @property
    def subject(self) -> str:
        place = f"{self.NAME}.{_text(self.context_id)}"
        return f"{place}.{_text(getattr(self, self.ABOUT))}" if self.ABOUT else place

    @property
    def message_id(self) -> str:
        """Equal for two publications of the same fact; the stream keeps one of them."""
        return "/".join([self.NAME, *[str(_text(getattr(self, name))) for name in self.IDENTITY]])

    @property
    def trace_id(self) -> UUID:
        """The trace the event belongs to."""
        trace: UUID = getattr(self, self.TRACE)
        return trace


class JobEvent(Event, frozen=True, kw_only=True):
    job_id: UUID


class RunEvent(JobEvent, frozen=True, kw_only=True):
    run_id: UUID


class AttemptEvent(RunEvent, frozen=True, kw_only=True):
    IDENTITY = ("run_id", "attempt")
    attempt: Attempt


class JobChanged(JobEvent, frozen=True, kw_only=True):
    """A hint that a definition was committed; the reader looks at the table."""

    TYPE = "rota.job.changed.v1"
    NAME = "job.changed"
    IDENTITY = ("job_id", "generation", "change")
    TRACE = "job_id"
    change: Literal["created", "updated", "deleted"]
    generation: Annotated[int, Meta(ge=1)]


class RunRequested(RunEvent, frozen=True, kw_only=True):
    """Somebody asked for a run now; the request itself is a row."""

    TYPE = "rota.run.requested.v1"
    NAME = "run.requested"
    requested_by: UUID | None = None


class RunCancel(RunEvent, frozen=True, kw_only=True):
    """A hint that somebody wants a run ended; the request itself is a row."""

    TYPE = "rota.run.cancel.v1"
    NAME = "run.cancel"
    ABOUT = "run_id"
    requested_by: UUID | None = None


class RunStopping(RunEvent, frozen=True, kw_only=True):
    """A hint that the ledger wants a run ended: whoever runs it, stop. The ledger says it to who asks."""

    TYPE = "rota.run.stopping.v1"
    NAME = "run.stopping"
    ABOUT = "run_id"
    reason: str


class RunFollowed(RunEvent, frozen=True, kw_only=True):
    """A hint that somebody began to follow a run: whoever runs it, say once more what was said so far."""

    TYPE = "rota.run.followed.v1"
    NAME = "run.followed"
    ABOUT = "run_id"


class RunProgress(RunEvent, frozen=True, kw_only=True):
    """What an attempt says and does, live. It may be lost; it is said again for who begins to follow."""

    TYPE = "rota.run.progress.v1"
    NAME = "run.progress"
    ABOUT = "run_id"
    IDENTITY = ("run_id", "attempt", "number")
    attempt: Attempt
    # Of this message within the attempt.
    number: Count
    steps: list[ProgressStep]


class ApprovalDecided(RunEvent, frozen=True, kw_only=True):
    """A hint that all calls of a parked run are decided upon; the decisions are rows."""

    TYPE = "rota.approval.decided.v1"
    NAME = "approval.decided"
    ABOUT = "run_id"


class JobSnapshot(Struct, frozen=True, kw_only=True):
    """The definition as it was when the occurrence was dispatched."""

    name: str
    agent_name: str
    skill_prompt: str
    cron_expression: str
    timezone: str
    timeout_seconds: Annotated[int, Meta(ge=1)]
    max_retries: Count
    generation: Annotated[int, Meta(ge=1)]
    owner_id: UUID | None = None
    # Instead of an agent: one call of this tool, without a model.
    tool: str | None = None
    arguments: dict[str, Any] = {}


class JobDue(AttemptEvent, frozen=True, kw_only=True):
    """An occurrence was admitted: run it.

    `failures` counts the attempts that ended in an error, `losses` those whose executor vanished;
    `instants` says how many due instants this run stands for, the first of them `first_instant`.
    """

    TYPE = "rota.job.due.v1"
    NAME = "job.due"
    scheduled_for: Instant
    effective_at: Instant
    trigger: Trigger
    job: JobSnapshot
    failures: Count = 0
    losses: Count = 0
    instants: Annotated[int, Meta(ge=1)] = 1
    first_instant: Instant | None = None
    prompt_context: str = ""
    # The attempt that waited for a person, and that this one goes on from.
    resumes: Annotated[int, Meta(ge=1)] | None = None


class JobStarted(AttemptEvent, frozen=True, kw_only=True):
    TYPE = "rota.job.started.v1"
    NAME = "job.started"
    executor: str
    session_id: UUID
    started_at: Instant


class JobCompleted(AttemptEvent, frozen=True, kw_only=True):
    """An attempt ended, whatever the end. `final` is false when another attempt will follow."""

    TYPE = "rota.job.completed.v1"
    NAME = "job.completed"
    status: RunStatus
    final: bool
    content: str | list[ContentBlock]
    execution_duration_ms: Count
    session_id: UUID
    agent_name: str
    prompt: str
    trigger: Trigger
    scheduled_for: Instant
    started_at: Instant
    completed_at: Instant
    job_name: str
    cron_expression: str
    error_kind: ErrorKind | None = None
    error_message: str | None = None
    # Of a run that is blocked: what stands in the way, the same for every run that it blocks.
    error_cause: str | None = None
    # What the other side said of when to try again.
    retry_after_seconds: int | None = None
    warnings: list[str] = []
    pending_actions: list[PendingAction] = []
    # Of a dry run.
    rehearsed_calls: list[RehearsedCall] = []
    usage: Usage = Usage()
    # Of this attempt alone.
    model_usage: list[ModelUsage] = []
    # The budget that ended it, where its policy is to pause the jobs that it concerns.
    exhausted_budget: UUID | None = None
    agent_revision: int | None = None
    model: str | None = None
    owner_id: UUID | None = None
    # The tool that ran instead of an agent.
    tool: str | None = None
    # Of a success.
    outcome: ReportedOutcome | None = None


class JobClosed(RunEvent, frozen=True, kw_only=True):
    """An occurrence got its disposition without a run; `instants` due instants end with it."""

    TYPE = "rota.job.closed.v1"
    NAME = "job.closed"
    scheduled_for: Instant
    disposition: Disposition
    reason: str
    instants: Annotated[int, Meta(ge=1)] = 1
    last_instant: Instant | None = None
    # For machines: overlap, paused, excluded, catch_up_window, queue_ttl …
    reason_code: str = ""
    trigger: Trigger = "schedule"


class JobPaused(JobEvent, frozen=True, kw_only=True):
    """The ticker paused a job by itself: it failed too often in a row, or a budget is used up."""

    TYPE = "rota.job.paused.v1"
    NAME = "job.paused"
    IDENTITY = ("job_id", "run_id")
    # The run that was the occasion; of a budget perhaps one of another job.
    run_id: UUID
    job_name: str
    reason: str
    # In a row; none where it is for a budget.
    failures: Count = 0


class ResultRecorded(AttemptEvent, frozen=True, kw_only=True):
    """The result is committed and can be read."""

    TYPE = "rota.result.recorded.v1"
    NAME = "result.recorded"
    status: RunStatus


class ApprovalRequested(Event, frozen=True, kw_only=True):
    """A run waits for decisions about its pending actions."""

    TYPE = "rota.approval.requested.v1"
    NAME = "approval.requested"
    ABOUT = "run_id"
    IDENTITY = ("run_id", "attempt")
    run_id: UUID
    job_id: UUID
    attempt: Attempt
    job_name: str
    actions: list[PendingAction]
    owner_id: UUID | None = None


class BellRung(Event, frozen=True, kw_only=True):
    """A hint that the bell of a context has something new; what it is stands in the rows."""

    TYPE = "rota.bell.rung.v1"
    NAME = "bell.rung"
    ABOUT = ""
    IDENTITY = ("context_id",)
    TRACE = "context_id"
    count: Annotated[int, Meta(ge=1)]


class MemberChanged(Event, frozen=True, kw_only=True):
    """A hint that somebody has another role in a context now, or none; which, stands in the rows."""

    TYPE = "rota.member.changed.v1"
    NAME = "member.changed"
    ABOUT = "user_id"
    IDENTITY = ("context_id", "user_id")
    TRACE = "context_id"
    user_id: UUID


class NotificationRequested(RunEvent, frozen=True, kw_only=True):
    """A hint that a run wants people told something; what, stands in the row."""

    TYPE = "rota.notification.requested.v1"
    NAME = "notification.requested"
    ABOUT = "run_id"
    IDENTITY = ("notification_id",)
    notification_id: UUID


class NotificationSent(Event, frozen=True, kw_only=True):
    """A delivery ended."""

    TYPE = "rota.notification.sent.v1"
    NAME = "notification.sent"
    ABOUT = ""
    IDENTITY = ("notification_id", "channel")
    notification_id: UUID
    run_id: UUID
    category: Literal["success", "error", "approval_needed", "approval_reminder", "paused", "message"]
    channel: Literal["email", "telegram", "webhook"]
    outcome: Literal["delivered", "failed", "unknown", "suppressed"]


EVENTS: dict[str, type[Event]] = {
    event.TYPE: event
    for event in (
        JobChanged,
        RunRequested,
        RunCancel,
        ApprovalDecided,
        RunStopping,
        RunFollowed,
        RunProgress,
        JobDue,
        JobStarted,
        JobCompleted,
        JobClosed,
        JobPaused,
        ResultRecorded,
        ApprovalRequested,
        BellRung,
        MemberChanged,
        NotificationRequested,
        NotificationSent,
    )
}
