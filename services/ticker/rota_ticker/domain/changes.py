"""From one definition to the next: what was due under the earlier ones is judged by those."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

from rota_schedule import ScheduleError
from rota_ticker.domain.accounting import Account, account, rule_of, suppressed
from rota_ticker.domain.jobs import Clockwork, Decision, Job, Occurrence, Revision, Standing, Timer
from rota_ticker.domain.overlap import opened, overlap
from rota_ticker.domain.planning import (
    cut_to_max_runs,
    following_plan,
    is_exhausted,
    standstill,
    started,
    unplannable,
)


class _Piece(NamedTuple):
    """Instants up to `until` belong to that definition."""

    clockwork: Clockwork
    until: datetime
    is_pause: bool


def replan(
    job: Job, timer: Timer, revisions: Sequence[Revision], now: datetime, standing: Standing
) -> Decision:
    """Goes over to a definition that is newer than what the timer was planned for.

    What was due under earlier definitions and is not accounted for yet is judged by those; the instants
    of a pause by what was asked for when it ended.
    """
    accounted, runs = timer.accounted_until, timer.runs
    rows: list[Occurrence] = []
    cancels = False
    for piece in _pieces(job, timer, revisions, now):
        if piece.until <= accounted:
            continue
        if not is_exhausted(piece.clockwork, runs):
            more, cancelling = _judged(job, piece, accounted, now, runs, standing)
            standing = Standing(standing.queued + opened(more), standing.dispatched)
            rows, runs, cancels = rows + more, runs + opened(more), cancels or cancelling
        accounted = piece.until
    done = replace(timer, accounted_until=accounted, runs=runs)
    return replace(_going_on(job, done), occurrences=tuple(rows), cancels_others=cancels)


def _going_on(job: Job, timer: Timer) -> Decision:
    """Under the definition as it is now."""
    paused_at = None if _is_resumed(job, timer) else timer.paused_at
    if paused_at or not job.clockwork.is_enabled:
        return Decision(standstill(job, timer.accounted_until, timer.runs, paused_at))
    try:
        return Decision(following_plan(job, timer.accounted_until, timer.runs))
    except ScheduleError as error:
        return unplannable(job, replace(timer, paused_at=paused_at), error)


def _pieces(job: Job, timer: Timer, revisions: Sequence[Revision], now: datetime) -> Iterator[_Piece]:
    """What the clock went by, one after the other, and whether it stood still then.

    What a pause finds before it was to start, for its jitter, shares the fate of the pause.
    """
    is_resumed = _is_resumed(job, timer)
    begin = timer.accounted_until
    for index, revision in enumerate(revisions):
        clockwork, until = revision.clockwork, min(revision.valid_until, now)
        is_by_ticker = timer.paused_at is not None and not is_resumed
        if is_by_ticker or _stands_still(clockwork, revision.valid_until):
            yield _Piece(clockwork, until, is_pause=True)
        else:
            if timer.paused_at and job.resumed_at:
                yield _Piece(clockwork, min(until, job.resumed_at), is_pause=True)
            following = revisions[index + 1].clockwork if index + 1 < len(revisions) else job.clockwork
            if _stands_still(following, revision.valid_until) and begin < until:
                yield _Piece(clockwork, _started(job, clockwork, begin, until), is_pause=False)
                yield _Piece(clockwork, until, is_pause=True)
            yield _Piece(clockwork, until, is_pause=False)
        begin = until
    if is_resumed and job.resumed_at:
        yield _Piece(job.clockwork, min(job.resumed_at, now), is_pause=True)


def _started(job: Job, clockwork: Clockwork, after: datetime, until: datetime) -> datetime:
    try:
        return started(job, clockwork, after, until, until)
    except ScheduleError:
        return until


def _stands_still(clockwork: Clockwork, moment: datetime) -> bool:
    """Whether a person has paused the job, as it was at that moment."""
    return not clockwork.is_enabled or bool(clockwork.paused_until and clockwork.paused_until > moment)


def _is_resumed(job: Job, timer: Timer) -> bool:
    """Whether a person has enabled the job since the ticker paused it."""
    if timer.paused_at is None or job.resumed_at is None:
        return False
    return job.resumed_at > timer.paused_at


def _judged(
    job: Job, piece: _Piece, after: datetime, now: datetime, runs: int, standing: Standing
) -> tuple[list[Occurrence], bool]:
    clockwork = piece.clockwork
    try:
        found = _found(job, piece, after, now)
    except ScheduleError:  # nothing was ever due under it
        return [], False
    rows, cancels = overlap(job, clockwork.overlap_policy, found, standing)
    return cut_to_max_runs(clockwork, rows, runs), cancels


def _found(job: Job, piece: _Piece, after: datetime, now: datetime) -> Account:
    clockwork = piece.clockwork
    if not piece.is_pause:
        return account(job, clockwork, after, piece.until, rule_of(clockwork, now))
    if job.resume_catch_up == "none" or _stands_still(job.clockwork, now):
        return Account(rows=suppressed(job, clockwork, after, piece.until))
    awake = replace(clockwork, paused_until=None)
    return account(job, awake, after, piece.until, rule_of(awake, now, job.resume_catch_up))
