"""What follows from the end of an attempt."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from rota_contracts.events import JobCompleted, JobDue, JobSnapshot
from rota_schedule import effective
from rota_ticker.domain.jobs import Backoff

ORIGIN = datetime(2000, 1, 1, tzinfo=UTC)
MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Dispatched:
    """A run that was admitted, as far as its row says it."""

    run_id: UUID
    job_id: UUID
    context_id: UUID
    scheduled_for: datetime
    effective_at: datetime
    trigger: str
    attempt: int
    failures: int
    losses: int
    stands_for: int
    first_instant: datetime | None
    prompt_context: str
    # The attempt that parked, where this one goes on.
    resumes: int | None


def due_event(run: Dispatched, job: JobSnapshot) -> JobDue:
    """The event that dispatches a run."""
    return JobDue(
        run_id=run.run_id,
        job_id=run.job_id,
        context_id=run.context_id,
        attempt=run.attempt,
        scheduled_for=run.scheduled_for,
        effective_at=run.effective_at,
        trigger=run.trigger,  # type: ignore[arg-type]  # a constraint of the table
        job=job,
        failures=run.failures,
        losses=run.losses,
        instants=run.stands_for,
        first_instant=run.first_instant,
        prompt_context=run.prompt_context,
        resumes=run.resumes,
    )


def retry_delay(
    run_id: UUID, failures: int, *, backoff: Backoff, first_seconds: int, longest_seconds: int
) -> timedelta:
    """How long to wait before the next attempt, after the `failures`-th failure.

    Exponential doubles up to `longest_seconds`. Of either, a quarter is jitter, stable per run and failure,
    so that what failed together does not come back together.
    """
    seconds = first_seconds
    if backoff == "exponential":
        seconds = min(first_seconds * 2 ** min(failures - 1, 30), longest_seconds)
    jitter = effective(run_id, ORIGIN + timedelta(seconds=failures), MILLION) - ORIGIN
    share: float = jitter / timedelta(seconds=MILLION)
    return timedelta(seconds=seconds * (0.75 + 0.25 * share))


def ending_reason(completed: JobCompleted) -> tuple[str, str]:
    """Why an occurrence that ran ended as it did, for machines and for people."""
    if completed.status == "error":
        kind = completed.error_kind or "internal"
        return kind, f"{kind}: {completed.error_message or 'no reason was given'}"
    return completed.status, "waits for decisions" if completed.status == "partial" else "success"


class Streak(NamedTuple):
    """How runs of a job ended: `failures` in a row at last, since a success if `is_broken`."""

    failures: int
    is_broken: bool
    last: JobCompleted


def streaks(ended: Iterable[JobCompleted]) -> dict[UUID, Streak]:
    """By job, in the order in which they ended. What somebody cancelled is neither failure nor success.

    Nor is a dry run, which says nothing of those that count.
    """
    found: dict[UUID, Streak] = {}
    for event in ended:
        if event.trigger == "dry_run":
            continue
        before = found.get(event.job_id, Streak(0, is_broken=False, last=event))
        if event.status != "error":
            found[event.job_id] = Streak(0, is_broken=True, last=event)
        elif event.error_kind != "cancelled":
            found[event.job_id] = Streak(before.failures + 1, before.is_broken, event)
    return found


def pause_reason(failures: int, last: str) -> str:
    """Why the ticker paused a job by itself."""
    return f"paused after {failures} failures in a row; the last one: {last}"


def budget_reason(last: JobCompleted) -> str:
    """Why the ticker paused the jobs that a budget concerns."""
    return f"paused for a budget: {last.error_message or 'it is used up'}"
