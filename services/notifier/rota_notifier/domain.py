"""What is told to whom: pure functions from events to notifications, and what becomes of a delivery."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Literal
from uuid import UUID, uuid5

from rota_contracts.events import ApprovalRequested, JobCompleted, JobPaused
from rota_contracts.values import ContentBlock

Category = Literal["success", "error", "approval_needed", "approval_reminder", "paused", "message"]
Channel = Literal["email", "telegram", "webhook"]
EndedState = Literal["delivered", "failed", "unknown", "suppressed"]
State = Literal["pending"] | EndedState

BODY_CHARACTERS = 500
FIRST_BACKOFF = timedelta(seconds=5)
LONGEST_BACKOFF = timedelta(hours=1)


@dataclass(frozen=True)
class Target:
    """Where a job wants to be told about beside the bell."""

    channel: Channel
    address: str


@dataclass(frozen=True)
class Notification:
    """`id` follows from run, attempt and category: the same news twice is one notification."""

    id: UUID
    context_id: UUID
    run_id: UUID
    attempt: int
    job_id: UUID
    category: Category
    title: str
    body: str
    # What is told once a context: news of the same cause that come after are not written.
    cause: str | None = None


@dataclass(frozen=True)
class Waiting:
    """A run that has waited for a person for most of the time that there is, until `expires_at`."""

    context_id: UUID
    run_id: UUID
    attempt: int
    job_id: UUID
    job_name: str
    tools: list[str]
    calls: int
    expires_at: datetime
    fails: bool


@dataclass(frozen=True)
class Delivery:
    """A notification on its way to one channel; `reason` says why it is not sent."""

    notification_id: UUID
    context_id: UUID
    channel: Channel
    target: str
    state: State
    reason: str | None = None


@dataclass(frozen=True)
class Letter:
    """What a channel sends: the notification, where to, and what it is about.

    A message is sent while its run goes on: it has no event.
    """

    notification_id: UUID
    category: Category
    title: str
    body: str
    target: str
    job_name: str
    event: JobCompleted | None


@dataclass(frozen=True)
class Outcome:
    """What one attempt to send came to; `retry_after` only while it stays pending."""

    state: State
    reason: str | None = None
    retry_after: timedelta | None = None


def run_notification(event: JobCompleted) -> Notification:
    """The news of a run that ended; of all that something blocks, one a day."""
    category: Category = "error" if event.status == "error" else "success"
    ending = {"success": "completed successfully", "error": "failed", "partial": "waits for approval"}
    text = event.error_message if event.status == "error" else content_text(event)
    if event.error_cause:
        day = event.completed_at.astimezone(UTC).date()
        note = f"{text} Other runs that this blocks today are not told of."
        return _about(event, category, event.attempt, "is blocked", note, cause=f"{event.error_cause}/{day}")
    return _about(event, category, event.attempt, ending[event.status], text or "")


def approval_notification(event: ApprovalRequested) -> Notification | None:
    """The news that a person must decide; none when nothing waits."""
    if not event.actions:
        return None
    count = len(event.actions)
    names = ", ".join(sorted({action.tool_name for action in event.actions}))
    ending = f"waits for {count} approval{'s' if count > 1 else ''}"
    return _about(event, "approval_needed", event.attempt, ending, f"Tools: {names}")


def reminder(run: Waiting) -> Notification:
    """The news that little time is left to decide."""
    ending = f"still waits for {run.calls} approval{'s' if run.calls > 1 else ''}"
    then = "the run fails" if run.fails else "the call counts as denied"
    until = f"{run.expires_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    body = f"Tools: {', '.join(run.tools)}. If nobody decides until {until}, {then}."
    return _about(run, "approval_reminder", run.attempt, ending, body)


def pause_notification(event: JobPaused) -> Notification:
    """The news that the ticker paused a job."""
    told = _about(event, "paused", 1, "is paused", event.reason)
    # One run may be the reason that several jobs are paused.
    return replace(told, id=uuid5(event.job_id, f"notification/paused/{event.run_id}"))


def _about(
    event: JobCompleted | ApprovalRequested | JobPaused | Waiting,
    category: Category,
    attempt: int,
    ending: str,
    body: str,
    *,
    cause: str | None = None,
) -> Notification:
    return Notification(
        id=notification_id(event.run_id, category, attempt),
        context_id=event.context_id,
        run_id=event.run_id,
        attempt=attempt,
        job_id=event.job_id,
        category=category,
        title=f"{event.job_name} {ending}",
        body=_shortened(body),
        cause=cause,
    )


def notification_id(run_id: UUID, category: Category, attempt: int) -> UUID:
    return uuid5(run_id, f"notification/{category}/{attempt}")


def deliveries(
    notification: Notification, target: Target | None, configured: frozenset[Channel]
) -> list[Delivery]:
    """To the job's own channel; in the bell a notification is by being written."""
    if target is None:
        return []
    is_configured = target.channel in configured
    reason = None if is_configured else f"the channel {target.channel} is not configured"
    state: State = "pending" if is_configured else "suppressed"
    return [Delivery(notification.id, notification.context_id, target.channel, target.address, state, reason)]


def after_failure(reason: str, *, permanent: bool, attempts: int, max_attempts: int) -> Outcome:
    """Gives up on what is permanent or has failed `max_attempts` times; doubles the wait before that."""
    if permanent:
        return Outcome("failed", reason)
    if attempts >= max_attempts:
        return Outcome("failed", f"given up after {attempts} attempts: {reason}")
    return Outcome("pending", reason, min(FIRST_BACKOFF * 2 ** (attempts - 1), LONGEST_BACKOFF))


def content_text(event: JobCompleted) -> str:
    """The answer as one text; of a list of blocks, those with a text."""
    if isinstance(event.content, str):
        return event.content
    return "\n".join(block.text for block in event.content if _is_text(block))


def _is_text(block: ContentBlock) -> bool:
    return block.type == "text" and bool(block.text)


def _shortened(text: str) -> str:
    clean = text.replace("\0", "")
    return clean if len(clean) <= BODY_CHARACTERS else clean[: BODY_CHARACTERS - 1] + "…"
