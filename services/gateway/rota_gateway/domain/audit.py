"""Whether the ledger accounts for everything that was due by the definitions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from rota_gateway.domain.schedules import MOMENT, schedule_of
from rota_gateway.domain.stretches import FOREVER, Stretch, stretches
from rota_schedule import ScheduleError

# An instant so close to a change of the definition may be counted under either.
TOLERANCE = timedelta(seconds=5)
# A timer that is over for longer is nobody's business any more.
PATIENCE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch as far as the clock has come: how many were due in it, None where that is unknown."""

    stretch: Stretch
    after: datetime
    until: datetime
    expected: int | None


@dataclass(slots=True)
class Audit:
    """Of some jobs: `doubtful` are those whose sums differ, with their pieces."""

    jobs: int = 0
    expected: int = 0
    accounted: int = 0
    doubtful: dict[Any, list[Piece]] = field(default_factory=dict)
    behind: list[dict[str, Any]] = field(default_factory=list)
    unplanned: list[dict[str, Any]] = field(default_factory=list)


def audit(jobs: Sequence[Mapping[str, Any]], since: datetime, now: datetime) -> Audit:
    """Compares for each job what was due since the ledger begins with the sum that the row says of it."""
    found = Audit(jobs=len(jobs))
    for job in jobs:
        named = {"job_id": job["id"], "name": job["name"]}
        if reason := _unplanned(job, now):
            found.unplanned.append({**named, "reason": reason})
        if job["wake_at"] is not None and job["wake_at"] < now - PATIENCE:
            found.behind.append({**named, "since": job["wake_at"]})
        if job["accounted_until"] is None:
            continue
        due = pieces(job, since)
        expected = sum(piece.expected or 0 for piece in due)
        found.expected += expected
        found.accounted += job["accounted"]
        if abs(expected - job["accounted"]) > _at_changes(due):
            found.doubtful[job["id"]] = due
    return found


def _unplanned(job: Mapping[str, Any], now: datetime) -> str | None:
    if job["error"]:
        return str(job["error"])
    if job["planned_generation"] == job["generation"] or job["updated_at"] > now - PATIENCE:
        return None
    return f"no ticker has looked at it since it was changed at {job['updated_at']:%Y-%m-%d %H:%M:%S} UTC"


def pieces(job: Mapping[str, Any], since: datetime) -> list[Piece]:
    """What was due by each definition, from the beginning of the job or the ledger to where the clock is."""
    found = []
    begin = _begin(job, since)
    for stretch in stretches(job, job["revisions"]):
        after = max(stretch.after, begin)
        until = min(stretch.until, job["accounted_until"])
        if is_exhausted(job, stretch):
            until = min(until, job["last_accounted"] or stretch.after)
        if after < until:
            found.append(Piece(stretch, after, until, _count(stretch, after, until)))
    return found


def _begin(job: Mapping[str, Any], since: datetime) -> datetime:
    """Of a job that is older than the ledger, its first row: a range of a month that was dropped is gone."""
    if job["created_at"] >= since:
        begin: datetime = job["created_at"]
    else:
        begin = job["first_accounted"] - MOMENT if job["first_accounted"] else job["accounted_until"]
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


def _note(expected: int, accounted: int) -> str:
    if accounted > expected:
        return f"{accounted - expected} more in the ledger than were due by the definition of that time"
    return f"{expected - accounted} due instants are in no row of the ledger"
