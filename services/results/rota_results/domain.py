"""What is stored of an outcome: pure functions from events to rows."""

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

import msgspec

from rota_contracts.events import ContentBlock, JobCompleted

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


def result_row(event: JobCompleted) -> dict[str, Any]:
    """The columns of agent_execution_results, ready for JSON."""
    content = normalise(event.content)
    metadata: dict[str, Any] = {
        "warnings": event.warnings,
        "model": event.model,
        "cron_expression": event.cron_expression,
    }
    if len(content) > MAX_CONTENT:
        metadata["content_length"] = len(content)
    row = {
        "run_id": event.run_id,
        "context_id": event.context_id,
        "user_id": event.owner_id,
        "schedule_id": event.job_id,
        "job_name": event.job_name,
        "agent_name": event.agent_name,
        "agent_revision": event.agent_revision,
        "prompt": event.prompt,
        "result_content": content[:MAX_CONTENT],
        "status": event.status,
        "error_kind": event.error_kind,
        "error_message": event.error_message,
        "pending_actions_created": len(event.pending_actions),
        "execution_duration_ms": event.execution_duration_ms,
        "metadata": metadata,
        "usage": event.usage,
        "attempt": event.attempt,
        "trigger": event.trigger,
        "session_id": event.session_id,
        "scheduled_for": event.scheduled_for,
        "started_at": event.started_at,
        "completed_at": event.completed_at,
    }
    return _as_json(row)


def _as_json(row: dict[str, Any]) -> dict[str, Any]:
    plain: dict[str, Any] = without_nul(msgspec.to_builtins(row))
    return plain


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
            }
        )
        for action in event.pending_actions
    ]


def statistics_rows(events: Iterable[JobCompleted]) -> list[dict[str, Any]]:
    """What runs that were just recorded add to the statistics of their jobs, one row per job."""
    by_job: dict[UUID, list[JobCompleted]] = {}
    for event in sorted(events, key=lambda event: event.completed_at):
        by_job.setdefault(event.job_id, []).append(event)
    return [_statistics(job_id, runs) for job_id, runs in by_job.items()]


def _statistics(job_id: UUID, runs: list[JobCompleted]) -> dict[str, Any]:
    last = runs[-1]
    failed = [run.status == "error" for run in runs]
    trailing = failed[::-1].index(False) if False in failed else len(failed)
    row = {
        "job_id": job_id,
        "run_count": len(runs),
        "error_count": sum(failed),
        "trailing_failures": trailing,
        "last_run_id": last.run_id,
        "last_run_at": last.started_at,
        "last_run_status": last.status,
        "last_run_result": (normalise(last.content) or last.error_message or "")[:MAX_SUMMARY],
        "last_run_duration_ms": last.execution_duration_ms,
    }
    return _as_json(row)
