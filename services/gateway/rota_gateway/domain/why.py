"""Why a run did or did not happen, in a sentence."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from rota_gateway.domain.jobs import TICKER, pause
from rota_gateway.domain.schedules import MOMENT, exclusions_of, schedule_of
from rota_gateway.domain.stretches import Stretch, at, stretches
from rota_schedule import Schedule, ScheduleError, effective

# How far back the instant before is looked for; a schedule may be as rare as once in 28 years.
LOOKED_BACK = tuple(timedelta(days=days) for days in (1, 40, 400, 11_000))
CAUSES = {
    "excluded_dates": "the job leaves this date out",
    "calendars": "a calendar of the job leaves this date out",
    "excluded_instants": "this one was skipped on purpose",
}


@dataclass(frozen=True, slots=True)
class Case:
    """What is known about a job; `rows` are those of the ledger at the instant, the scheduled one first."""

    job: Mapping[str, Any]
    revisions: Sequence[Mapping[str, Any]]
    rows: Sequence[Mapping[str, Any]]
    ledger_since: datetime
    now: datetime


def answer(case: Case, instant: datetime) -> str:
    """Why what was asked for did or did not happen at the instant."""
    zone = _zone(case.job)
    said = [_recorded(row, zone) for row in covering(case, instant)]
    return " ".join(said) if said else _unrecorded(case, instant, zone)


def covering(case: Case, instant: datetime) -> list[Mapping[str, Any]]:
    """The rows that say something about the instant."""
    return [row for row in case.rows if _covers(case, row, instant)]


def last_due(schedule: Schedule, until: datetime) -> datetime | None:
    """The last instant up to `until`."""
    for distance in LOOKED_BACK:
        if span := schedule.count(until - distance, until):
            return span.last
    return None


def _covers(case: Case, row: Mapping[str, Any], instant: datetime) -> bool:
    """A range says something about its own instants only."""
    if row["instants"] == 1:
        return True
    stretch = at(stretches(case.job, case.revisions), instant)
    try:
        return stretch is not None and schedule_of(stretch.definition).is_due(instant)
    except ScheduleError:
        return True


def _recorded(row: Mapping[str, Any], zone: ZoneInfo) -> str:
    what = {
        "schedule": "It",
        "manual": "A run that was asked for",
        "backfill": "A backfill of it",
        "dry_run": "A dry run of it",
    }[row["trigger"]]
    if row["disposition"] is None:
        return f"{what} {_open(row, zone)}."
    if row["disposition"] == "ran":
        begun = f" at {_local(row['started_at'], zone)}" if row["started_at"] else ""
        tries = f", {row['attempt']} attempts" if row["attempt"] > 1 else ""
        stood = f", for {row['stands_for']} instants" if row["stands_for"] > 1 else ""
        return f"{what} ran{begun}{tries}{stood}: {row['reason']}."
    into = f" (run {row['coalesced_into']})" if row["coalesced_into"] else ""
    others = ""
    if row["instants"] > 1:
        others = (
            f", like all {row['instants']} instants from {_local(row['scheduled_for'], zone)}"
            f" to {_local(row['last_instant'], zone)}"
        )
    return f"{what} did not run ({row['disposition']}): {row['reason']}{into}{others}."


def _open(row: Mapping[str, Any], zone: ZoneInfo) -> str:
    if row["state"] == "running":
        return "is running now"
    if row["state"] == "dispatched":
        return "is dispatched and waits for an executor"
    if row["attempt"] > 1:
        return f"failed and waits for attempt {row['attempt']}, not before {_local(row['not_before'], zone)}"
    return "is due and waits for its turn: for room in its context or for an earlier run of the job"


def _unrecorded(case: Case, instant: datetime, zone: ZoneInfo) -> str:
    if instant <= case.job["created_at"]:
        return f"There was no job yet: it was created on {_local(case.job['created_at'], zone)}."
    if instant < case.ledger_since:
        return f"That is not known any more: the ledger goes back to {_local(case.ledger_since, zone)}."
    stretch = at(stretches(case.job, case.revisions), instant)
    if stretch is None:
        return "That is not known: no definition of the job is kept for that time."
    try:
        schedule = schedule_of(stretch.definition)
    except ScheduleError as error:
        return f"Nothing was due: the definition of the job could not be read ({error})."
    if not schedule.is_due(instant):
        return _not_due(schedule, stretch, instant, case.now)
    return _due(case, stretch, instant, schedule)


def _not_due(schedule: Schedule, stretch: Stretch, instant: datetime, now: datetime) -> str:
    before, after = last_due(schedule, instant - MOMENT), schedule.next_after(instant)
    near = [
        f"the last before is {_local(before, schedule.zone)}" if before else "there is none before",
        f"the next after is {_local(after, schedule.zone)}" if after else "there is none after",
    ]
    verb = "is" if instant > now else "was"
    earlier = " as the job was defined then" if stretch.until <= now else ""
    return f"Nothing {verb} due then{earlier} ({schedule.describe()}): {near[0]}, {near[1]}."


def _due(case: Case, stretch: Stretch, instant: datetime, schedule: Schedule) -> str:
    definition, job = stretch.definition, case.job
    cause = exclusions_of(definition, schedule.zone).cause(instant)
    starts = effective(job["id"], instant, definition["jitter_seconds"])
    is_to_come = starts > case.now
    if stops := _standing_still(case, definition, schedule.zone):
        return f"It {'will' if is_to_come else 'did'} not run: {stops}."
    if cause == "paused":
        until = _local(definition["paused_until"], schedule.zone)
        return f"It {'will' if is_to_come else 'did'} not run: the job is paused until {until}."
    if cause is not None:
        return f"It {'will' if is_to_come else 'did'} not run: {CAUSES[cause]}."
    if definition["max_runs"] is not None and (job["runs"] or 0) >= definition["max_runs"]:
        verb = "will" if is_to_come else "did"
        return f"It {verb} not run: the job has had all its {definition['max_runs']} runs (max_runs)."
    if is_to_come:
        later = f", by its jitter {(starts - instant).total_seconds():g} s later" if starts > instant else ""
        return f"It is still to come: the run begins at {_local(starts, schedule.zone)}{later}."
    return _missing(case, instant, schedule.zone)


def _standing_still(case: Case, definition: Mapping[str, Any], zone: ZoneInfo) -> str | None:
    """Why the clock does not go on with this definition."""
    if not definition["is_enabled"]:
        told = pause(case.job)
        why = f" ({told['pause_reason']})" if told["pause_reason"] and definition is case.job else ""
        return f"the job was paused{why}"
    told = pause(case.job)
    if definition is case.job and told["paused_by"] == TICKER:
        return f"the ticker paused the job on {_local(told['paused_at'], zone)}: {told['pause_reason']}"
    if definition is case.job and case.job["schedule_error"]:
        return f"the job cannot be planned: {case.job['schedule_error']}"
    return None


def _missing(case: Case, instant: datetime, zone: ZoneInfo) -> str:
    accounted = case.job["accounted_until"]
    if accounted is None or instant > accounted:
        since = f"has come to {_local(accounted, zone)}" if accounted else "has not looked at this job yet"
        return f"It is due, and not in the ledger yet: the ticker {since}. Is a ticker running?"
    return "It was due, and the ledger has no row for it, which must not be; see 'rota doctor'."


def _zone(job: Mapping[str, Any]) -> ZoneInfo:
    try:
        return schedule_of(job).zone
    except ScheduleError:
        return ZoneInfo("UTC")


def _local(instant: datetime, zone: ZoneInfo) -> str:
    """As the clock of the job shows it."""
    return f"{instant.astimezone(zone):%Y-%m-%d %H:%M:%S} {zone.key}"
