"""Pure decisions about attempts: what a lost claim means, what the agent is asked, what is told after."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from uuid import UUID

import msgspec

from rota_chassis.redaction import Redactor
from rota_contracts.events import JobCompleted, JobDue
from rota_contracts.ids import session_id_for
from rota_contracts.transcript import Entry
from rota_contracts.values import (
    ContentBlock,
    ErrorKind,
    ModelUsage,
    PendingAction,
    RehearsedCall,
    ReportedOutcome,
    RunStatus,
    Usage,
)
from rota_executor.continuity import Continuity
from rota_executor.transcript import Transcript

Verdict = Literal["ended", "stale", "elsewhere"]
Content = str | list[ContentBlock]

# Trying again changes nothing about these.
PERMANENT_KINDS: frozenset[ErrorKind] = frozenset(
    {
        "agent_not_found",
        "invalid_configuration",
        "blocked",
        "cancelled",
        "lost",
        "interrupted",
        "limit",
        "approval_expired",
    }
)
# NATS takes messages of 1 MiB. In JSON a character may take six bytes; results keeps 50,000 characters.
MAX_CONTENT = 60_000
BLOCK_FRAME = 30  # what a block costs beside its text
MAX_PROMPT = 20_000
MAX_RETRY_AFTER = 7 * 86_400  # seconds
MAX_MESSAGE = 2_000
MAX_FINGERPRINT = 200
MAX_WARNINGS = 20
MAX_WARNING = 500
MAX_ARGUMENTS_BYTES = 200_000
MAX_TRANSCRIPT_MESSAGES = 200
MAX_TRANSCRIPT_CONTENT = 50_000  # characters of one message
MAX_TRANSCRIPT = 2_000_000  # characters of all of them


CHANGED = ReportedOutcome(status="changed")


@dataclass
class Record:
    """What is known of a run while it goes on, and stays known when it fails."""

    warnings: list[str] = field(default_factory=list)
    transcript: Transcript = field(default_factory=Transcript)
    usage: Usage = Usage()  # noqa: RUF009  immutable
    model_usage: list[ModelUsage] = field(default_factory=list)
    # Used up, and its policy is to pause jobs.
    exhausted_budget: UUID | None = None
    model: str | None = None
    agent_id: UUID | None = None
    agent_revision: int | None = None
    # What its agent said that it came to.
    reported: ReportedOutcome | None = None
    # What earlier runs of the job left, and the conversation that this one leaves, as JSON.
    continuity: Continuity = Continuity()  # noqa: RUF009  immutable
    conversation: str = ""
    # Of a dry run: the calls that it came to.
    rehearsed: list[RehearsedCall] = field(default_factory=list)
    # What the run goes on from, when it waits for a person.
    checkpoint: str | None = None
    # Tools that write and were begun: what they did cannot be taken back.
    effects: list[str] = field(default_factory=list)
    # For the next runs of the job; None: forget it.
    notes: dict[str, str | None] = field(default_factory=dict)
    # What its tools signed in with: said nowhere.
    hidden: Redactor = field(default_factory=Redactor)


@dataclass(frozen=True)
class Outcome:
    """How an attempt ended."""

    status: RunStatus
    content: Content = ""
    pending_actions: tuple[PendingAction, ...] = ()
    error_kind: ErrorKind | None = None
    error_message: str | None = None
    error_cause: str | None = None
    retry_after: float | None = None


def verdict(attempt: int, *, state: str | None, is_open: bool, current_attempt: int | None) -> Verdict:
    """What to make of an attempt that was not won.

    Args:
        attempt: the attempt that the message asks for
        state: of that attempt, if it was ever claimed
        is_open: whether the occurrence is known and not closed
        current_attempt: the attempt that the occurrence is at

    """
    if state == "ended":
        return "ended"
    if not is_open or current_attempt != attempt:
        return "stale"
    return "elsewhere"


def is_final(
    status: RunStatus,
    error_kind: ErrorKind | None,
    *,
    failures: int,
    max_retries: int,
    has_written: bool = False,
) -> bool:
    """Whether no other attempt will follow this one: what has written is not repeated by itself."""
    if status != "error" or error_kind in PERMANENT_KINDS or has_written:
        return True
    return failures >= max_retries


def kept_notes(status: RunStatus, record: Record) -> dict[str, str | None]:
    """What of the notes of an attempt outlives it.

    A failed attempt is as if it had not been, so the next one must find the notebook as it was; unless it
    had written elsewhere already: then what it noted about that is all the next run can know.
    """
    return record.notes if status != "error" or record.effects else {}


def lost_message(losses: int) -> str:
    return (
        f"The executor that held this run vanished {losses} times, so the run was not tried again. "
        "Look at the executor's log and memory, then run the job now."
    )


def interrupted_message(effects: Sequence[tuple[str, str]]) -> str:
    """Why a run is not begun anew; `effects` are the tools that write which it began, with their states."""
    told = ", ".join(
        f"{tool!r} ({'done' if state == 'done' else 'it is not known whether it took effect'})"
        for tool, state in effects
    )
    return (
        f"The run was interrupted after it began to write: {told}. It is not repeated by itself. "
        "Look at what was done, then say of each call that is open whether it took effect or is to be made "
        "again (`rota effects`)."
    )


NOTHING_KEPT = (
    "The run waited for a person, and what it had kept to go on from is gone. Run the job now to begin anew."
)


def timeout_message(seconds: int) -> str:
    return f"The run was stopped after {seconds} s, the job's timeout."


def agent_not_found_message(name: str) -> str:
    return f"The agent {name!r} does not exist in this context; create it or name another one in the job."


def prompt_of(event: JobDue) -> str:
    """What the agent is asked: the job's prompt, what the caller added, which due times it stands for."""
    parts = [event.job.skill_prompt, event.prompt_context]
    if event.instants > 1:
        first = event.first_instant or event.scheduled_for
        parts.append(
            f"This run stands for {event.instants} due times, "
            f"from {_instant(first)} to {_instant(event.scheduled_for)}."
        )
    return "\n\n".join(part for part in parts if part)


def _instant(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def completed(
    event: JobDue, outcome: Outcome, record: Record, *, started_at: datetime, duration: timedelta
) -> JobCompleted:
    """The event that says how an attempt ended, cut so that it fits into a message."""
    outcome = _bounded(outcome)

    def told(value: Any) -> Any:
        return without(record.hidden, clean(value))

    return JobCompleted(
        context_id=event.context_id,
        job_id=event.job_id,
        run_id=event.run_id,
        attempt=event.attempt,
        status=outcome.status,
        final=is_final(
            outcome.status,
            outcome.error_kind,
            failures=event.failures,
            max_retries=0 if event.trigger == "dry_run" else event.job.max_retries,
            has_written=bool(record.effects),
        ),
        content=cut_content(told(outcome.content), MAX_CONTENT),
        execution_duration_ms=round(duration / timedelta(milliseconds=1)),
        session_id=session_id_for(event.run_id, event.attempt),
        agent_name=f"tool:{event.job.tool}" if event.job.tool else event.job.agent_name,
        prompt=told(prompt_of(event))[:MAX_PROMPT],
        trigger=event.trigger,
        scheduled_for=event.scheduled_for,
        started_at=started_at,
        completed_at=started_at + duration,
        job_name=event.job.name,
        cron_expression=event.job.cron_expression,
        error_kind=outcome.error_kind,
        error_message=outcome.error_message and told(outcome.error_message)[:MAX_MESSAGE],
        error_cause=outcome.error_cause,
        retry_after_seconds=_whole_seconds(outcome.retry_after),
        warnings=[told(warning)[:MAX_WARNING] for warning in record.warnings[:MAX_WARNINGS]],
        pending_actions=[
            msgspec.structs.replace(
                action,
                arguments=without(record.hidden, action.arguments),
                reason=told(action.reason)[:MAX_MESSAGE],
            )
            for action in outcome.pending_actions
        ],
        rehearsed_calls=record.rehearsed,
        usage=record.usage,
        model_usage=record.model_usage,
        exhausted_budget=record.exhausted_budget,
        agent_revision=record.agent_revision,
        model=record.model,
        owner_id=event.job.owner_id,
        tool=event.job.tool,
        outcome=_reported(outcome, record, told),
    )


def _reported(outcome: Outcome, record: Record, told: Callable[[Any], Any]) -> ReportedOutcome | None:
    """Of a success: a plain answer counts as something new."""
    if outcome.status != "success":
        return None
    if record.reported is None:
        return CHANGED
    return msgspec.structs.replace(
        record.reported,
        summary=told(record.reported.summary)[:MAX_MESSAGE],
        fingerprint=told(record.reported.fingerprint)[:MAX_FINGERPRINT],
    )


def _whole_seconds(seconds: float | None) -> int | None:
    return None if seconds is None else math.ceil(min(seconds, MAX_RETRY_AFTER))


def _bounded(outcome: Outcome) -> Outcome:
    """A call that is too large to be shown to the person who decides is no call to decide on."""
    size = sum(len(msgspec.json.encode(action.arguments)) for action in outcome.pending_actions)
    if size <= MAX_ARGUMENTS_BYTES:
        return outcome
    return Outcome(
        status="error",
        content=outcome.content,
        error_kind="model_error",
        error_message=(
            f"The model asked to call a tool with arguments of {size // 1000} kB; "
            f"at most {MAX_ARGUMENTS_BYTES // 1000} kB can be put before a person for approval."
        ),
    )


def cut_content(content: Content, limit: int) -> Content:
    """The first `limit` characters; of blocks, those that begin within the limit."""
    if isinstance(content, str):
        return content[:limit]
    blocks = []
    for block in content:
        if limit <= 0:
            break
        blocks.append(ContentBlock(type=block.type, text=block.text[:limit]))
        limit -= len(block.text) + BLOCK_FRAME
    return blocks


def clean(value: Any) -> Any:
    """The same value without what PostgreSQL's jsonb or UTF-8 cannot hold: NUL and lone surrogates."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode().replace("\x00", "\N{REPLACEMENT CHARACTER}")
    if isinstance(value, ContentBlock):
        return ContentBlock(type=clean(value.type), text=clean(value.text))
    if isinstance(value, dict):
        return {clean(str(name)): clean(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [clean(item) for item in value]
    return value


def without(hidden: Redactor, value: Any) -> Any:
    """The same value without what is hidden."""
    if not hidden:
        return value
    if isinstance(value, str):
        return hidden(value)
    if isinstance(value, ContentBlock):
        return ContentBlock(type=value.type, text=hidden(value.text))
    if isinstance(value, dict):
        return {name: without(hidden, item) for name, item in value.items()}
    if isinstance(value, list):
        return [without(hidden, item) for item in value]
    return value


def bounded_transcript(entries: Sequence[Entry], hidden: Redactor) -> list[Entry]:
    """The first and the last entries, each cut and with its position; what is left out is said in between."""
    numbered = [
        msgspec.structs.replace(entry, position=number) for number, entry in enumerate(entries, start=1)
    ]
    if len(numbered) > MAX_TRANSCRIPT_MESSAGES:
        tail = MAX_TRANSCRIPT_MESSAGES // 2
        head = MAX_TRANSCRIPT_MESSAGES - tail - 1
        text = f"({len(numbered) - head - tail} messages are not kept)"
        note = Entry(role="system", content=text, position=head + 1)
        numbered = [*numbered[:head], note, *numbered[-tail:]]
    limit = min(MAX_TRANSCRIPT_CONTENT, MAX_TRANSCRIPT // max(1, len(numbered)))
    return [told_entry(entry, hidden, limit) for entry in numbered]


def told_entry(entry: Entry, hidden: Redactor, limit: int) -> Entry:
    """As it may be kept and said: cut, without what is hidden; of arguments that are longer none."""

    def text(value: str | None) -> str | None:
        return None if value is None else without(hidden, clean(value))[:limit]

    is_long = entry.arguments is not None and len(entry.content) > limit
    return msgspec.structs.replace(
        entry,
        content=text(entry.content),
        model=text(entry.model),
        tool_name=text(entry.tool_name),
        tool_call_id=text(entry.tool_call_id),
        arguments=None if is_long else without(hidden, clean(entry.arguments)),
    )


def ids(event: JobDue) -> dict[str, str | int]:
    """What every log line about an attempt carries."""
    return {
        "run_id": str(event.run_id),
        "job_id": str(event.job_id),
        "context_id": str(event.context_id),
        "attempt": event.attempt,
    }
