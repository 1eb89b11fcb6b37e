"""What becomes of each instant of a stretch of time: it is to run, or has its disposition at once."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from rota_contracts.ids import run_id_for
from rota_contracts.values import Disposition
from rota_schedule import Schedule, Span, effective
from rota_schedule.dst import DAY, EPOCH, LONGEST_CHANGE, instant_of, stretch_at
from rota_ticker.domain.jobs import CatchUp, Clockwork, Job, Occurrence

# What is noticed within this time is no catch-up: it runs whatever the policy and the window say.
PUNCTUAL = timedelta(seconds=60)
MOMENT = timedelta(microseconds=1)
ONE_DAY = timedelta(days=1)


class Verdict(NamedTuple):
    disposition: Disposition
    reason_code: str
    reason: str


PAUSED = Verdict("suppressed", "paused", "the job was paused")
EXCLUDED = Verdict("suppressed", "excluded", "the job leaves this time out")
CANCELLED = Verdict("skipped", "cancelled", "somebody cancelled it")
TOO_OLD = Verdict("missed", "catch_up_window", "it is older than the catch-up window")
NO_CATCH_UP = Verdict("missed", "catch_up_off", "nobody was there, and the job does not catch up")
OVER_CAP = Verdict("missed", "catch_up_cap", "more recent ones fill the catch-up (catch_up_max_runs)")
COALESCED = Verdict("coalesced", "catch_up_latest", "the latest due instant runs for it")


@dataclass(slots=True)
class Account:
    """Instants that are to run, in order, and rows for all the others."""

    runs: list[datetime] = field(default_factory=list)
    rows: list[Occurrence] = field(default_factory=list)
    # What a single run is told: how many instants it stands for, since when.
    stands_for: int = 1
    first_instant: datetime | None = None
    # Of the definition by which it was judged.
    jitter_seconds: int = 0


@dataclass(frozen=True, slots=True)
class Rule:
    """How a stretch is judged: `now` decides what is late.

    An instant is late by what has passed since it was to start, which jitter puts off.
    """

    now: datetime
    catch_up: CatchUp
    window: timedelta
    cap: int
    jitter_seconds: int


def rule_of(clockwork: Clockwork, now: datetime, catch_up: CatchUp | None = None) -> Rule:
    window = max(timedelta(seconds=clockwork.catch_up_window_seconds), PUNCTUAL)
    return Rule(
        now,
        catch_up or clockwork.catch_up_policy,
        window + timedelta(seconds=clockwork.jitter_seconds),
        clockwork.catch_up_max_runs,
        clockwork.jitter_seconds,
    )


def suppressed(job: Job, clockwork: Clockwork, after: datetime, until: datetime) -> list[Occurrence]:
    """One row for all instants of a pause, if there are any."""
    span = clockwork.schedule().count(after, until)
    return [row(job, span, PAUSED, clockwork.jitter_seconds)] if span else []


def account(job: Job, clockwork: Clockwork, after: datetime, until: datetime, rule: Rule) -> Account:
    """Judges every instant with after < instant <= until."""
    schedule = clockwork.schedule()
    result = Account(jitter_seconds=rule.jitter_seconds)
    recent: list[tuple[datetime, datetime]] = []
    window_start = rule.now - rule.window
    for start, end, verdict in stretches(clockwork, schedule.zone, after, until):
        if verdict:
            _add(result, job, schedule.count(start, end), verdict)
            continue
        if start < window_start:
            _add(result, job, schedule.count(start, min(end, window_start)), TOO_OLD)
        if end > window_start:
            recent.append((max(start, window_start), end))
    spans = [(each, span) for each in recent if (span := schedule.count(*each))]
    if spans:
        _catch_up(result, job, schedule, spans, rule)
    result.rows.sort(key=lambda one: one.scheduled_for)
    return result


def _catch_up(
    result: Account,
    job: Job,
    schedule: Schedule,
    spans: list[tuple[tuple[datetime, datetime], Span]],
    rule: Rule,
) -> None:
    if rule.catch_up == "all":
        _all(result, job, schedule, spans, rule.cap)
        return
    latest = spans[-1][1].last
    is_late = rule.catch_up == "skip" and rule.now - effective(job.id, latest, rule.jitter_seconds) > PUNCTUAL
    verdict = NO_CATCH_UP if rule.catch_up == "skip" else COALESCED
    run_id = run_id_for(job.id, latest)
    count = 0
    for (start, _end), span in spans:
        rest = span if is_late or span.last != latest else schedule.count(start, latest - MOMENT)
        if rest:
            count += rest.count
            _add(result, job, rest, verdict, coalesced_into=run_id if verdict is COALESCED else None)
    if is_late:
        return
    result.runs.append(latest)
    if verdict is COALESCED and count:
        result.stands_for = count + 1
        result.first_instant = spans[0][1].first


def _all(
    result: Account,
    job: Job,
    schedule: Schedule,
    spans: list[tuple[tuple[datetime, datetime], Span]],
    cap: int,
) -> None:
    """The latest `cap` instants run; the earlier ones are missed."""
    total = sum(span.count for _, span in spans)
    surplus = max(0, total - cap)
    for (start, end), span in spans:
        left_out = min(surplus, span.count)
        surplus -= left_out
        if left_out:
            _add(result, job, schedule.count(start, end, at_most=left_out), OVER_CAP)
        if left_out < span.count:
            begin = schedule.count(start, end, at_most=left_out).last if left_out else start  # type: ignore[union-attr]
            result.runs += schedule.between(begin, end)


def _add(
    result: Account, job: Job, span: Span | None, verdict: Verdict, coalesced_into: UUID | None = None
) -> None:
    if span:
        result.rows.append(row(job, span, verdict, result.jitter_seconds, coalesced_into))


def row(
    job: Job, span: Span, verdict: Verdict, jitter_seconds: int, coalesced_into: UUID | None = None
) -> Occurrence:
    """One closed row for instants in a row."""
    return Occurrence(
        run_id=run_id_for(job.id, span.first),
        job_id=job.id,
        context_id=job.context_id,
        scheduled_for=span.first,
        effective_at=effective(job.id, span.first, jitter_seconds),
        disposition=verdict.disposition,
        reason_code=verdict.reason_code,
        reason=verdict.reason,
        instants=span.count,
        last_instant=span.last,
        coalesced_into=coalesced_into,
        priority=job.priority,
    )


def stretches(
    clockwork: Clockwork, zone: ZoneInfo, after: datetime, until: datetime
) -> Iterator[tuple[datetime, datetime, Verdict | None]]:
    """Cuts (after, until] into pieces that are alike: each either left out, for the reason given, or not."""
    begin = after
    if clockwork.paused_until and clockwork.paused_until > after:
        begin = min(clockwork.paused_until - MOMENT, until)
        yield after, begin, PAUSED
    for start, end in _exclusions(clockwork, zone, begin, until):
        if start > begin:
            yield begin, start, None
        if end > begin:
            yield max(begin, start), end, EXCLUDED
            begin = end
    if begin < until:
        yield begin, until, None


def _exclusions(
    clockwork: Clockwork, zone: ZoneInfo, after: datetime, until: datetime
) -> list[tuple[datetime, datetime]]:
    """The excluded pieces (start, end] within, in order; they may touch."""
    if not (clockwork.excluded_dates or clockwork.excluded_instants or clockwork.calendar_dates):
        return []
    first, last = after.astimezone(zone).date() - ONE_DAY, until.astimezone(zone).date() + ONE_DAY
    days = {day for day in (*clockwork.excluded_dates, *clockwork.calendar_dates) if first <= day <= last}
    pieces = [piece for day in days for piece in _pieces_of(day, zone)]
    pieces += [(instant - MOMENT, instant) for instant in clockwork.excluded_instants]
    return sorted(
        (max(start, after), min(end, until)) for start, end in pieces if start < until and end > after
    )


def _pieces_of(day: date, zone: ZoneInfo) -> Iterator[tuple[datetime, datetime]]:
    """When it is that day (start, end]; two pieces, where the clock goes back over midnight."""
    midnight = (day - EPOCH.date()).days * DAY
    second, limit = midnight - LONGEST_CHANGE, midnight + DAY + LONGEST_CHANGE
    while second < limit:
        stretch = stretch_at(zone, second)
        begin = max(second, midnight - stretch.offset)
        end = min(stretch.end, midnight + DAY - stretch.offset)
        if begin < end:
            yield instant_of(begin) - MOMENT, instant_of(end) - MOMENT
        second = stretch.end


class Ahead(NamedTuple):
    """The first instant that is not left out, and the end of what is left out before it."""

    allowed: datetime | None
    left_out: datetime | None


def ahead(clockwork: Clockwork, after: datetime) -> Ahead:
    """What is to come after `after`."""
    schedule = clockwork.schedule()
    if not clockwork.has_exceptions:
        return Ahead(schedule.next_after(after), None)
    begin, left_out = after, None
    while (instant := schedule.next_after(begin)) is not None:
        end = _end_of_exclusion(clockwork, schedule.zone, instant)
        if end is None:
            return Ahead(instant, left_out)
        begin, left_out = end, left_out or end
    return Ahead(None, left_out)


def is_left_out(clockwork: Clockwork, zone: ZoneInfo, instant: datetime) -> bool:
    """Whether an instant is one of a pause until a date, or excluded."""
    return _end_of_exclusion(clockwork, zone, instant) is not None


def _end_of_exclusion(clockwork: Clockwork, zone: ZoneInfo, instant: datetime) -> datetime | None:
    """Until when an instant is left out; None when it is not."""
    if clockwork.paused_until and instant < clockwork.paused_until:
        return clockwork.paused_until - MOMENT
    if instant in clockwork.excluded_instants:
        return instant
    day = instant.astimezone(zone).date()
    if day not in clockwork.excluded_dates and day not in clockwork.calendar_dates:
        return None
    return next(end for start, end in _pieces_of(day, zone) if start < instant <= end)
