"""The definitions that a job went by, one after the other."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

FOREVER = datetime.max.replace(tzinfo=UTC)
INSTANTS = ("start_at", "end_at", "paused_until", "created_at")


@dataclass(frozen=True, slots=True)
class Stretch:
    """`definition` was in force for after < instant <= until."""

    after: datetime
    until: datetime
    definition: Mapping[str, Any]


def stretches(job: Mapping[str, Any], revisions: Sequence[Mapping[str, Any]]) -> list[Stretch]:
    """In order, the last one being the definition as it stands now; revisions come in their order."""
    past = [Stretch(one["valid_from"], one["valid_until"], parsed(one["definition"])) for one in revisions]
    begin = past[-1].until if past else job["created_at"]
    return [*past, Stretch(begin, FOREVER, job)]


def parsed(definition: Mapping[str, Any]) -> dict[str, Any]:
    """A row of scheduled_jobs as JSON, with its days and instants."""
    instants = {name: _instant(definition[name]) for name in INSTANTS}
    days = {
        name: [date.fromisoformat(day) for day in definition[name]]
        for name in ("excluded_dates", "calendar_dates")
    }
    skipped = [datetime.fromisoformat(one) for one in definition["excluded_instants"]]
    return {**definition, **instants, **days, "excluded_instants": skipped}


def _instant(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def at(found: Sequence[Stretch], instant: datetime) -> Stretch | None:
    """The one that was in force; None before there was any."""
    return next((one for one in found if one.after < instant <= one.until), None)
