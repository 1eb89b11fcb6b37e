"""When jobs are due, and what becomes of what was: from timers to rows of the ledger and new timers."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from rota_schedule import ScheduleError, effective
from rota_ticker.domain.accounting import (
    MOMENT,
    PUNCTUAL,
    Account,
    account,
    next_allowed,
    rule_of,
    suppressed,
)
from rota_ticker.domain.jobs import Clockwork, Decision, Job, Occurrence, Plan, Revision, Standing, Timer
from rota_ticker.domain.overlap import opened, overlap


def new_timer(job: Job) -> Timer:
    """Of a job that was never planned: it is to be accounted for since its creation."""
    return Timer(job.id, 0, job.clockwork.created_at)


def decide(job: Job, timer: Timer, now: datetime, standing: Standing) -> Decision:
    """What becomes of the instants of a timer that is due, and when it is due next."""
    try:
        return _punctual(job, timer, now, standing) or _stretch(job, timer, now, standing)
    except ScheduleError as error:
        return _unplannable(job, timer, error)


def replan(
    job: Job, timer: Timer, revisions: Sequence[Revision], now: datetime, standing: Standing
) -> Decision:
    """Goes over to a definition that is newer than what the timer was planned for.

    What was due under earlier definitions and is not accounted for yet is judged by those; the instants
    of a pause by what was asked for when it ended.
    """
    try:
        return _replan(job, timer, revisions, now, standing)
    except ScheduleError as error:
        return _unplannable(job, timer, error)


def _unplannable(job: Job, timer: Timer, error: ScheduleError) -> Decision:
    reason = f"{error.field}: {error.reason}"
    return Decision(
        Plan(job.id, job.context_id, job.generation, timer.accounted_until, runs=timer.runs, error=reason)
    )


def _punctual(job: Job, timer: Timer, now: datetime, standing: Standing) -> Decision | None:
    """The usual case: one instant, on time, with nothing left out before it."""
    clockwork, instant = job.clockwork, timer.next_run_at
    if instant is None or clockwork.has_exceptions or _is_exhausted(clockwork, timer.runs):
        return None
    if effective(job.id, instant, clockwork.jitter_seconds) < now - PUNCTUAL:
        return None
    following = clockwork.schedule().next_after(instant)
    if following is not None and following <= now:
        return None
    rows, cancels = overlap(job, Account(runs=[instant]), standing)
    runs = timer.runs + opened(rows)
    plan = _plan(job, instant, None if _is_exhausted(clockwork, runs) else following, runs)
    return Decision(plan, tuple(rows), cancels)


def _stretch(job: Job, timer: Timer, now: datetime, standing: Standing) -> Decision:
    """Whatever was due since the timer was accounted for: after a downtime, around what is left out."""
    clockwork, after = job.clockwork, timer.accounted_until
    until = _effective_until(job, after, now)
    if until <= after or _is_exhausted(clockwork, timer.runs):
        return Decision(_following(job, after, timer.runs))
    found = account(job, clockwork, after, until, rule_of(clockwork, now))
    until = _cut_to_max_runs(clockwork, found, timer.runs) or until
    rows, cancels = overlap(job, found, standing)
    return Decision(_following(job, until, timer.runs + opened(rows)), tuple(rows), cancels)


def _cut_to_max_runs(clockwork: Clockwork, found: Account, runs: int) -> datetime | None:
    """Where `max_runs` ends the schedule within what was found: the instant of the last run."""
    if clockwork.max_runs is None or runs + len(found.runs) <= clockwork.max_runs:
        return None
    del found.runs[clockwork.max_runs - runs :]
    end = found.runs[-1]
    found.rows = [row for row in found.rows if row.scheduled_for <= end]
    return end


def _effective_until(job: Job, after: datetime, now: datetime) -> datetime:
    """Up to where instants are due; with jitter, the last one before now may not be yet."""
    jitter = job.clockwork.jitter_seconds
    span = job.clockwork.schedule().count(after, now) if jitter else None
    if span and effective(job.id, span.last, jitter) > now:
        return span.last - MOMENT
    return now


class _Piece(NamedTuple):
    clockwork: Clockwork
    until: datetime
    is_pause: bool


def _replan(
    job: Job, timer: Timer, revisions: Sequence[Revision], now: datetime, standing: Standing
) -> Decision:
    accounted, runs = timer.accounted_until, timer.runs
    rows: list[Occurrence] = []
    cancels = False
    for piece in _pieces(job, timer, revisions, now):
        if piece.until <= accounted:
            continue
        found = _judged(job, piece, accounted, now)
        end = _cut_to_max_runs(piece.clockwork, found, runs)
        more, cancelling = overlap(job, found, standing)
        standing = Standing(standing.queued + opened(more), standing.dispatched)
        rows, runs, cancels = rows + more, runs + opened(more), cancels or cancelling
        accounted = end or piece.until
    paused_at = None if _is_resumed(job, timer) else timer.paused_at
    if paused_at or not job.clockwork.is_enabled:
        plan = Plan(job.id, job.context_id, job.generation, accounted, runs=runs, paused_at=paused_at)
    else:
        plan = _following(job, accounted, runs)
    return Decision(plan, tuple(rows), cancels)


def _pieces(job: Job, timer: Timer, revisions: Sequence[Revision], now: datetime) -> Iterator[_Piece]:
    """What the clock went by, one after the other, and whether it stood still then."""
    resumed_at = job.resumed_at if _is_resumed(job, timer) else None
    for revision in revisions:
        by_ticker = timer.paused_at is not None and (resumed_at is None or revision.valid_until <= resumed_at)
        is_pause = by_ticker or not revision.clockwork.is_enabled
        yield _Piece(revision.clockwork, min(revision.valid_until, now), is_pause)
    if resumed_at is not None:
        yield _Piece(job.clockwork, min(resumed_at, now), is_pause=True)


def _is_resumed(job: Job, timer: Timer) -> bool:
    """Whether a person has enabled the job since the ticker paused it."""
    if timer.paused_at is None or job.resumed_at is None:
        return False
    return job.resumed_at > timer.paused_at


def _judged(job: Job, piece: _Piece, after: datetime, now: datetime) -> Account:
    if not piece.is_pause:
        return account(job, piece.clockwork, after, piece.until, rule_of(piece.clockwork, now))
    if job.resume_catch_up == "none" or not job.clockwork.is_enabled:
        return Account(rows=suppressed(job, piece.clockwork, after, piece.until))
    return account(
        job, piece.clockwork, after, piece.until, rule_of(piece.clockwork, now, job.resume_catch_up)
    )


def _is_exhausted(clockwork: Clockwork, runs: int) -> bool:
    return clockwork.max_runs is not None and runs >= clockwork.max_runs


def _following(job: Job, accounted: datetime, runs: int) -> Plan:
    following = None if _is_exhausted(job.clockwork, runs) else next_allowed(job.clockwork, accounted)
    return _plan(job, accounted, following, runs)


def _plan(job: Job, accounted: datetime, following: datetime | None, runs: int) -> Plan:
    return Plan(
        job_id=job.id,
        context_id=job.context_id,
        generation=job.generation,
        accounted_until=accounted,
        next_run_at=following,
        wake_at=following and effective(job.id, following, job.clockwork.jitter_seconds),
        runs=runs,
    )
