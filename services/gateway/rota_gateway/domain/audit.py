"""Whether the ledger accounts for everything that was due by the definitions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

from rota_gateway.domain.gaps import Entry, Gap, gaps, is_near
from rota_gateway.domain.schedules import MOMENT, exclusions_of, next_allowed, schedule_of
from rota_gateway.domain.stretches import FOREVER, Stretch, stretches
from rota_schedule import ScheduleError, effective

# An instant so close to a change of the definition may be counted under either.
TOLERANCE = timedelta(seconds=5)
EVER = datetime.min.replace(tzinfo=UTC)
# A timer that is over for longer is nobody's business any more.
PATIENCE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch as far as the clock has come: how many were due in it, None where that is unknown."""

    stretch: Stretch
    after: datetime
    until: datetime
    expected: int | None


@dataclass(frozen=True, slots=True)
class Window:
    """What was due after `since` is looked at; the first month of the ledger begins at `ledger_begin`."""

    ledger_begin: datetime
    since: datetime


@dataclass(slots=True)
class Audit:
    """Of some jobs: `doubtful` are those whose sums differ, with their pieces.

    `unclear` are those whose sums differ by no more than changes of the definition may explain: only a look
    at each of their rows tells whether something is missing elsewhere.
    """

    jobs: int = 0
    expected: int = 0
    accounted: int = 0
    doubtful: dict[Any, list[Piece]] = field(default_factory=dict)
    unclear: dict[Any, list[Piece]] = field(default_factory=dict)
    behind: list[dict[str, Any]] = field(default_factory=list)
    unplanned: list[dict[str, Any]] = field(default_factory=list)


def audit(jobs: Sequence[Mapping[str, Any]], window: Window, now: datetime) -> Audit:
    """Compares for each job what was due in the window with the sum that the row says of it."""
    found = Audit(jobs=len(jobs))
    for job in jobs:
        named = {"job_id": job["id"], "name": job["name"]}
        if reason := _unplanned(job, now):
            found.unplanned.append({**named, "reason": reason})
        if behind := _behind(job, now):
            found.behind.append({**named, "since": behind})
        if job["accounted_until"] is None:
            continue
        due = pieces(job, window)
        expected = sum(piece.expected or 0 for piece in due)
        found.expected += expected
        found.accounted += job["accounted"]
        if abs(expected - job["accounted"]) > _at_changes(due):
            found.doubtful[job["id"]] = due
        elif expected != job["accounted"]:
            found.unclear[job["id"]] = due
    return found


def _unplanned(job: Mapping[str, Any], now: datetime) -> str | None:
    if job["error"]:
        return str(job["error"])
    if job["planned_generation"] == job["generation"] or job["updated_at"] > now - PATIENCE:
        return None
    return f"no ticker has looked at it since it was changed at {job['updated_at']:%Y-%m-%d %H:%M:%S} UTC"


def _behind(job: Mapping[str, Any], now: datetime) -> datetime | None:
    """Since when the clock should have looked at the job, by its timer or by the definition itself."""
    late = now - PATIENCE
    if job["wake_at"] is not None and job["wake_at"] < late:
        behind: datetime = job["wake_at"]
        return behind
    if not _is_awake(job):
        return None
    try:
        schedule = schedule_of(job)
    except ScheduleError:
        return None
    found = next_allowed(schedule, exclusions_of(job, schedule.zone), job["accounted_until"])
    if found is None or found[0] > late:
        return None
    due = effective(job["id"], found[0], job["jitter_seconds"])
    return due if due < late else None


def _is_awake(job: Mapping[str, Any]) -> bool:
    """Whether the clock goes by the definition as it stands now."""
    if job["planned_generation"] != job["generation"] or job["error"] or not job["is_enabled"]:
        return False
    is_exhausted = job["max_runs"] is not None and job["runs"] >= job["max_runs"]
    return job["paused_at"] is None and not is_exhausted


def pieces(job: Mapping[str, Any], window: Window) -> list[Piece]:
    """What was due by each definition, from the beginning of the job or the window to where the clock is."""
    found = []
    begin = _begin(job, window)
    for stretch in stretches(job, job["revisions"]):
        after = max(stretch.after, begin)
        until = min(stretch.until, job["accounted_until"])
        if is_exhausted(job, stretch):
            until = min(until, job["last_accounted"] or stretch.after)
        if after < until:
            found.append(Piece(stretch, after, until, _count(stretch, after, until)))
    return found


def _begin(job: Mapping[str, Any], window: Window) -> datetime:
    """Where a range of the ledger ends that reaches over the begin of the window.

    Of a job that is older than the ledger, its first row: a range of a month that was dropped is gone.
    """
    begin: datetime
    if job["created_at"] >= max(window.since, window.ledger_begin):
        begin = job["created_at"]
    elif job["previous"] is not None:
        begin = max(window.since, job["previous"])
    elif window.since < window.ledger_begin:
        begin = job["first_accounted"] - MOMENT if job["first_accounted"] else job["accounted_until"]
    else:
        begin = window.since
    return begin


def is_exhausted(job: Mapping[str, Any], stretch: Stretch) -> bool:
    """Whether the schedule ended with the last run that it may have: nothing was due after that."""
    limit = stretch.definition["max_runs"]
    return limit is not None and (job["runs"] or 0) >= limit


def _count(stretch: Stretch, after: datetime, until: datetime) -> int | None:
    try:
        span = schedule_of(stretch.definition).count(after, until)
    except ScheduleError:
        return None
    return span.count if span else 0


def _at_changes(due: Sequence[Piece]) -> int:
    """How many instants lie so close to a change that they may be counted under either definition."""
    return sum(
        max(_count(one.stretch, change.after - TOLERANCE, change.after + TOLERANCE) or 0 for one in both)
        for both in pairwise(due)
        for change in both[1:]
    )


def gaps_of(due: Sequence[Piece], entries: Sequence[Entry], until: datetime) -> list[Gap]:
    """Which instants up to then differ, apart from those that may count under either of two definitions."""
    found: list[Gap] = []
    for piece in due:
        if piece.expected is None:
            continue
        end = min(piece.until, until)
        within = [entry for entry in entries if piece.after < entry.first <= end]
        changes = [change for change in (piece.stretch.after, piece.stretch.until) if change < FOREVER]
        found += [
            gap
            for gap in gaps(schedule_of(piece.stretch.definition), within, piece.after, end)
            if not any(is_near(gap, change, TOLERANCE) for change in changes)
        ]
    return found


def before_the_job(job: Mapping[str, Any], accounted: int, since: datetime) -> dict[str, Any]:
    """What the ledger has of a job from before there was any definition of it."""
    return {
        "job_id": job["id"],
        "name": job["name"],
        "from": since,
        "until": job["created_at"],
        "expected": 0,
        "accounted": accounted,
        "note": "in the ledger, from before the job was created",
    }


def difference(
    job: Mapping[str, Any], piece: Piece, accounted: int, last: datetime | None
) -> dict[str, Any] | None:
    """What is wrong with a piece of which the ledger says that much, the last instant being `last`."""
    expected, until = piece.expected, piece.until
    if expected is None:
        return None
    if is_exhausted(job, piece.stretch):
        until = min(until, last or piece.after)
        expected = _count(piece.stretch, piece.after, until) or 0
    if abs(expected - accounted) <= sum(
        _count(piece.stretch, change - TOLERANCE, change + TOLERANCE) or 0
        for change in (piece.stretch.after, piece.stretch.until)
        if job["created_at"] < change < FOREVER
    ):
        return None
    return {
        "job_id": job["id"],
        "name": job["name"],
        "from": piece.after,
        "until": until,
        "expected": expected,
        "accounted": accounted,
        "note": _note(expected, accounted),
    }


def missing_or_surplus(job: Mapping[str, Any], gap: Gap) -> dict[str, Any]:
    """A difference that a look at each row found."""
    expected, accounted = (0, gap.instants) if gap.is_surplus else (gap.instants, 0)
    return {
        "job_id": job["id"],
        "name": job["name"],
        "from": gap.first,
        "until": gap.last,
        "expected": expected,
        "accounted": accounted,
        "note": _note(expected, accounted),
    }


def _note(expected: int, accounted: int) -> str:
    if accounted > expected:
        return f"{accounted - expected} more in the ledger than were due by the definition of that time"
    missing = expected - accounted
    return f"{missing} due {'instants are' if missing > 1 else 'instant is'} in no row of the ledger"
