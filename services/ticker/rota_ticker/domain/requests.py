"""Runs that a person asked for: now, or late for an instant of the past."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal
from uuid import UUID

from rota_ticker.domain.accounting import PAUSED, Verdict
from rota_ticker.domain.jobs import Job, Occurrence, Overlap, Standing
from rota_ticker.domain.overlap import verdict_of


@dataclass(frozen=True, slots=True)
class Request:
    run_id: UUID
    job: Job
    trigger: Literal["manual", "backfill", "dry_run"]
    # When it was asked for; of a backfill, the instant that is run late.
    scheduled_for: datetime
    overlap_policy: Overlap | None = None
    requested_by: UUID | None = None
    prompt_context: str = ""
    is_paused: bool = False


def admit(
    requests: Iterable[Request], standings: Mapping[UUID, Standing]
) -> tuple[list[Occurrence], set[UUID]]:
    """The rows of requested runs, and the jobs whose open runs are to be cancelled for them.

    A manual run of a paused job is suppressed; a backfill and a dry run are asked for on purpose, and run.
    """
    current = dict(standings)
    rows, cancelled = [], set()
    for request in requests:
        job = request.job
        policy = request.overlap_policy or job.clockwork.overlap_policy
        standing = current.get(job.id, Standing())
        is_refused = request.trigger == "manual" and request.is_paused
        verdict = PAUSED if is_refused else verdict_of(policy, standing)
        if verdict is None:
            if policy == "cancel_other" and standing.is_open:
                cancelled.add(job.id)
            current[job.id] = Standing(standing.queued + 1, standing.dispatched)
        rows.append(_row(request, policy, verdict))
    return rows, cancelled


def _row(request: Request, policy: Overlap, verdict: Verdict | None) -> Occurrence:
    job = request.job
    row = Occurrence(
        run_id=request.run_id,
        job_id=job.id,
        context_id=job.context_id,
        scheduled_for=request.scheduled_for,
        effective_at=request.scheduled_for,
        trigger=request.trigger,
        priority=job.priority,
        is_exclusive=policy != "allow",
        requested_by=request.requested_by,
        prompt_context=request.prompt_context,
        queue_ttl_seconds=job.queue_ttl_seconds if request.trigger == "manual" else None,
    )
    if verdict is None:
        return row
    return replace(
        row, disposition=verdict.disposition, reason_code=verdict.reason_code, reason=verdict.reason
    )
