"""What is stored of an outcome: pure functions from events to rows."""

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from typing import Any
from uuid import UUID

import msgspec

from rota_contracts.events import JobCompleted
from rota_contracts.values import ContentBlock, ReportedOutcome

MAX_CONTENT = 50_000  # characters of agent_execution_results.result_content
MAX_SUMMARY = 2_000  # characters of job_statistics.last_run_result


def normalise(content: str | Sequence[ContentBlock]) -> str:
    """One string: a text as it is, of a list of blocks the texts, one per line.

    PostgreSQL stores no NUL characters; they are taken out.
    """
    if not isinstance(content, str):
        content = "\n".join(block.text for block in content if block.type == "text" and block.text)
    return content.replace("\0", "")


def latest(events: Iterable[JobCompleted]) -> list[JobCompleted]:
    """Of each run the final outcome of its highest attempt; an attempt that is retried is no result."""
    best: dict[UUID, JobCompleted] = {}
    for event in events:
        known = best.get(event.run_id)
        if event.final and (known is None or event.attempt > known.attempt):
            best[event.run_id] = event
    return list(best.values())


def result_columns(events: Sequence[JobCompleted]) -> dict[str, list[Any]]:
    """The columns of agent_execution_results, a value per event in each."""
    contents = [normalise(event.content) for event in events]
    return {
        **_same_named(events, _SAME_NAMED),
        "user_id": [event.owner_id for event in events],
        "schedule_id": [event.job_id for event in events],
        "job_name": [_text(event.job_name) for event in events],
        "agent_name": [_text(event.agent_name) for event in events],
        "prompt": [_text(event.prompt) for event in events],
        "error_message": [event.error_message and _text(event.error_message) for event in events],
        "result_content": [content[:MAX_CONTENT] for content in contents],
        "pending_actions_created": [len(event.pending_actions) for event in events],
        **outcome_columns(events),
        "metadata": [_metadata(event, len(content)) for event, content in zip(events, contents, strict=True)],
        "usage": [msgspec.json.encode(event.usage).decode() for event in events],
    }


def outcome_columns(events: Sequence[JobCompleted]) -> dict[str, list[Any]]:
    """What runs that succeeded came to. One that does not say so was told by an older executor: `changed`."""
    outcomes = [
        event.outcome or ReportedOutcome(status="changed") if event.status == "success" else None
        for event in events
    ]
    return {
        "outcome_status": [outcome and outcome.status for outcome in outcomes],
        "outcome_summary": [_text(outcome.summary) if outcome else "" for outcome in outcomes],
        "outcome_severity": [outcome and outcome.severity for outcome in outcomes],
        "outcome_fingerprint": [_text(outcome.fingerprint) if outcome else "" for outcome in outcomes],
    }


_SAME_NAMED = (
    "run_id",
    "context_id",
    "agent_revision",
    "status",
    "error_kind",
    "execution_duration_ms",
    "attempt",
    "trigger",
    "session_id",
    "scheduled_for",
    "started_at",
    "completed_at",
)


def _same_named(events: Sequence[JobCompleted], names: Iterable[str]) -> dict[str, list[Any]]:
    return {name: [getattr(event, name) for event in events] for name in names}


def _metadata(event: JobCompleted, length: int) -> str:
    metadata: dict[str, Any] = {
        "warnings": event.warnings,
        "model": event.model,
        "cron_expression": event.cron_expression,
    }
    if event.trigger == "dry_run":
        metadata["rehearsed_calls"] = event.rehearsed_calls
    if length > MAX_CONTENT:
        metadata["content_length"] = length
    return _text(msgspec.json.encode(metadata).decode().replace("\\u0000", ""))


def _text(value: str) -> str:
    return value.replace("\0", "")


def without_nul(value: Any) -> Any:
    """The same JSON value without NUL characters in any of its texts."""
    match value:
        case str():
            return value.replace("\0", "")
        case list():
            return [without_nul(item) for item in value]
        case dict():
            return {without_nul(key): without_nul(item) for key, item in value.items()}
        case _:
            return value


def pending_action_rows(event: JobCompleted) -> list[dict[str, Any]]:
    return [
        without_nul(
            {
                "context_id": str(event.context_id),
                "run_id": str(event.run_id),
                "tool_call_id": action.tool_call_id,
                "tool_name": action.tool_name,
                "arguments": msgspec.to_builtins(action.arguments),
                "reason": action.reason,
            }
        )
        for action in event.pending_actions
    ]


def statistics_columns(
    events: Iterable[JobCompleted], known: AbstractSet[UUID], failed: AbstractSet[UUID] = frozenset()
) -> dict[str, list[Any]]:
    """What recorded runs add to the statistics of their jobs, a value per job in each column.

    Runs that are `known` had waited for a person: they are counted, and what they came to was not.
    Those that had `failed` were interrupted, and went on: that they failed does not count any more.
    """
    by_job: dict[UUID, list[JobCompleted]] = {}
    for event in sorted(events, key=lambda event: event.completed_at):
        by_job.setdefault(event.job_id, []).append(event)
    rows = [_statistics(job_id, runs, known, failed) for job_id, runs in sorted(by_job.items())]
    return {name: [row[name] for row in rows] for name in rows[0]}


def _statistics(
    job_id: UUID, runs: list[JobCompleted], known: AbstractSet[UUID], failed_before: AbstractSet[UUID]
) -> dict[str, Any]:
    last = runs[-1]
    failed = [run.status == "error" for run in runs]
    trailing = failed[::-1].index(False) if False in failed else len(failed)
    return {
        "job_id": job_id,
        "run_count": sum(run.run_id not in known for run in runs),
        "error_count": sum(failed) - sum(run.run_id in failed_before for run in runs),
        "trailing_failures": trailing,
        "last_run_id": last.run_id,
        "last_run_at": last.started_at,
        "last_run_status": last.status,
        "last_run_result": (normalise(last.content) or _text(last.error_message or ""))[:MAX_SUMMARY],
        "last_run_duration_ms": last.execution_duration_ms,
    }
