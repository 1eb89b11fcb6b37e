"""When jobs are due, and what becomes of what was: from timers that are due to rows of the ledger."""

from dataclasses import replace
from datetime import datetime, timedelta

from rota_schedule import ScheduleError, effective
from rota_ticker.domain.accounting import (
    MOMENT,
    PUNCTUAL,
    Account,
    account,
    ahead,
    is_left_out,
    rule_of,
)
from rota_ticker.domain.jobs import Clockwork, Decision, Job, Occurrence, Plan, Standing, Timer
from rota_ticker.domain.overlap import opened, overlap


def decide(job: Job, timer: Timer, now: datetime, standing: Standing) -> Decision:
    """What becomes of the instants of a timer that is due, and when it is due next."""
    if timer.paused_at or not job.clockwork.is_enabled:
        return Decision(standstill(job, timer.accounted_until, timer.runs, timer.paused_at))
    try:
        return _punctual(job, timer, now, standing) or _stretch(job, timer, now, standing)
    except ScheduleError as error:
        return unplannable(job, timer, error)


def foreseen(job: Job, timer: Timer, instant: datetime, standing: Standing) -> Decision | None:
    """What will be decided at an instant that has almost come, where nothing can turn it any more.

    None where it may still turn out otherwise: what is open may end until then, what is left out has its row
    only once it is past.
    """
    if standing.is_open or timer.planned_generation != job.generation:
        return None
    decision = decide(job, timer, instant, standing)
    rows = decision.occurrences
    is_one_run = len(rows) == 1 and rows[0].disposition is None and rows[0].effective_at == instant
    return decision if is_one_run else None


def _punctual(job: Job, timer: Timer, now: datetime, standing: Standing) -> Decision | None:
    """The usual case: one instant, on time, with nothing left out before it."""
    clockwork, instant = job.clockwork, timer.next_run_at
    if instant is None or clockwork.has_exceptions or is_exhausted(clockwork, timer.runs):
        return None
    if not now - PUNCTUAL <= effective(job.id, instant, clockwork.jitter_seconds) <= now:
        return None
    following = clockwork.schedule().next_after(instant)
    if following is not None and following <= now:
        return None
    found = Account(runs=[instant], jitter_seconds=clockwork.jitter_seconds)
    rows, cancels = overlap(job, clockwork.overlap_policy, found, standing)
    runs = timer.runs + opened(rows)
    plan = _plan(job, instant, None if is_exhausted(clockwork, runs) else following, runs)
    return Decision(plan, tuple(rows), cancels)


def _stretch(job: Job, timer: Timer, now: datetime, standing: Standing) -> Decision:
    """Whatever was due since the timer was accounted for: after a downtime, around what is left out."""
    clockwork, after = job.clockwork, timer.accounted_until
    until = started(job, clockwork, after, now, now)
    if until <= after or is_exhausted(clockwork, timer.runs):
        return Decision(following_plan(job, after, timer.runs))
    found = account(job, clockwork, after, until, rule_of(clockwork, now))
    rows, cancels = overlap(job, clockwork.overlap_policy, found, standing)
    rows = cut_to_max_runs(clockwork, rows, timer.runs)
    return Decision(following_plan(job, until, timer.runs + opened(rows)), tuple(rows), cancels)


def is_exhausted(clockwork: Clockwork, runs: int) -> bool:
    """Whether there were as many runs as there may be: nothing is due any more."""
    return clockwork.max_runs is not None and runs >= clockwork.max_runs


def cut_to_max_runs(clockwork: Clockwork, rows: list[Occurrence], runs: int) -> list[Occurrence]:
    """Leaves out what comes after the last run that there may be, for it is due no more."""
    found = sorted(row.scheduled_for for row in rows if row.disposition is None)
    if clockwork.max_runs is None or runs + len(found) < clockwork.max_runs:
        return rows
    end = found[clockwork.max_runs - runs - 1]
    return [row for row in rows if row.scheduled_for <= end]


def started(job: Job, clockwork: Clockwork, after: datetime, until: datetime, now: datetime) -> datetime:
    """Up to where instants were to start by now; with jitter, the last ones before `until` may not."""
    jitter = clockwork.jitter_seconds
    if jitter:
        schedule, begin = clockwork.schedule(), max(after, now - timedelta(seconds=jitter))
        for instant in schedule.between(begin, until):
            is_early = effective(job.id, instant, jitter) > now
            if is_early and not is_left_out(clockwork, schedule.zone, instant):
                return instant - MOMENT
    return until


def following_plan(job: Job, accounted: datetime, runs: int) -> Plan:
    """The timer of a job that is accounted for until then.

    It wakes for what is left out as well: that has its row once it is past, not when the job runs again.
    """
    if is_exhausted(job.clockwork, runs):
        return _plan(job, accounted, None, runs)
    allowed, left_out = ahead(job.clockwork, accounted)
    plan = _plan(job, accounted, allowed, runs)
    return plan if left_out is None else replace(plan, wake_at=left_out)


def _plan(job: Job, accounted: datetime, following: datetime | None, runs: int) -> Plan:
    return Plan(
        job_id=job.id,
        generation=job.generation,
        accounted_until=accounted,
        next_run_at=following,
        wake_at=following and effective(job.id, following, job.clockwork.jitter_seconds),
        runs=runs,
    )


def standstill(
    job: Job, accounted: datetime, runs: int, paused_at: datetime | None, error: str | None = None
) -> Plan:
    """The timer of a job that is not due until somebody changes it."""
    return Plan(job.id, job.generation, accounted, runs=runs, paused_at=paused_at, error=error)


def unplannable(job: Job, timer: Timer, error: ScheduleError) -> Decision:
    """A definition that was written past every check stops its own job, and no other."""
    reason = f"{error.field}: {error.reason}"
    return Decision(standstill(job, timer.accounted_until, timer.runs, timer.paused_at, reason))
