"""What becomes of a due run while another one of its job is open."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from rota_contracts.ids import run_id_for
from rota_schedule import effective
from rota_ticker.domain.accounting import Account, Verdict
from rota_ticker.domain.jobs import Job, Occurrence, Overlap, Standing

BUSY = Verdict("skipped", "overlap", "the previous run was still open")
BUFFERED = Verdict("skipped", "overlap", "another run was already waiting for the previous one")
REPLACED = Verdict("skipped", "replaced", "a newer run of the job takes its place")


def verdict_of(policy: Overlap, standing: Standing) -> Verdict | None:
    """Why a run is not even queued; None when it is."""
    if policy == "skip" and standing.is_open:
        return BUSY
    if policy == "buffer_one" and standing.queued:
        return BUFFERED
    return None


def overlap(job: Job, policy: Overlap, found: Account, standing: Standing) -> tuple[list[Occurrence], bool]:
    """The rows of what was found, and whether what is open is to be cancelled.

    Several runs, of a catch-up of all, wait for each other where the policy would let only one be.
    """
    if not found.runs:
        return found.rows, False
    verdict = verdict_of(policy, standing) if len(found.runs) == 1 else None
    if verdict:
        return [*(_joined(row, verdict) for row in found.rows), _skipped(job, found, verdict)], False
    runs = [_queued(job, instant, found, is_exclusive=policy != "allow") for instant in found.runs]
    return [*found.rows, *runs], policy == "cancel_other" and standing.is_open


def _queued(job: Job, instant: datetime, found: Account, *, is_exclusive: bool) -> Occurrence:
    return Occurrence(
        run_id=run_id_for(job.id, instant),
        job_id=job.id,
        context_id=job.context_id,
        scheduled_for=instant,
        effective_at=effective(job.id, instant, found.jitter_seconds),
        stands_for=found.stands_for,
        first_instant=found.first_instant,
        priority=job.priority,
        is_exclusive=is_exclusive,
        queue_ttl_seconds=job.queue_ttl_seconds,
    )


def _skipped(job: Job, found: Account, verdict: Verdict) -> Occurrence:
    return replace(
        _queued(job, found.runs[0], Account(jitter_seconds=found.jitter_seconds), is_exclusive=True),
        disposition=verdict.disposition,
        reason_code=verdict.reason_code,
        reason=verdict.reason,
    )


def _joined(row: Occurrence, verdict: Verdict) -> Occurrence:
    """What would have gone into the run shares its fate."""
    if row.coalesced_into is None:
        return row
    return replace(
        row,
        disposition=verdict.disposition,
        reason_code=verdict.reason_code,
        reason=verdict.reason,
        coalesced_into=None,
    )


def opened(rows: Iterable[Occurrence]) -> int:
    """How many of the rows are runs."""
    return sum(row.disposition is None for row in rows)
