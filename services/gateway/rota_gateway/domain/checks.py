"""What must fit together in a definition, and into its context; each problem with the field and a remedy."""

import functools
import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, NamedTuple

from jsonschema import SchemaError, ValidationError
from jsonschema.protocols import Validator
from jsonschema.validators import validator_for
from referencing import Registry
from referencing.exceptions import Unresolvable

from rota_contracts.mcp import checkable
from rota_gateway.domain.schedules import exclusions_of, next_allowed, schedule_of, shortest_period
from rota_schedule import Schedule, ScheduleError, check

# A schedule is looked at again only when one of these changes: what is over may still be renamed.
SCHEDULE_FIELDS = frozenset(
    {
        "cron_expression",
        "seconds_field",
        "timezone",
        "dst_gap",
        "dst_repeat",
        "start_at",
        "end_at",
        "jitter_seconds",
    }
)


# What only agents heed, and what it is where nobody says: a tool alone asks nobody and recalls nothing.
OF_AGENTS: Mapping[str, Any] = {
    "continuity": "none",
    "continuity_outcomes": 5,
    "continuity_max_chars": 20_000,
    "approval_expiry_seconds": None,
    "approval_expiry_action": None,
}
EXCLUSIONS = {"excluded_dates": "dates", "calendars": "calendars"}


class Problem(NamedTuple):
    field: str
    message: str


@dataclass(frozen=True)
class Surroundings:
    """What a definition is checked against: days of calendars and JSON schemas of tools by their names."""

    now: datetime
    min_period_seconds: int
    calendars: Mapping[str, Collection[date]]
    tools: Mapping[str, dict[str, Any]]


def problems(definition: Mapping[str, Any], around: Surroundings, changed: Collection[str]) -> list[Problem]:
    """Everything that is wrong; `changed` names the fields that are new, of a new job all."""
    found: list[Problem] = []
    if SCHEDULE_FIELDS & set(changed):
        found += _schedule(definition, around)
    if "paused_until" in changed and definition["paused_until"] and definition["paused_until"] <= around.now:
        found.append(Problem("paused_until", "is in the past; to enable the job set it to null"))
    if definition["retry_backoff"] == "exponential":
        found += _backoff(definition)
    if {"tool", "arguments", "skill_prompt"} & set(changed):
        found += _tool(definition, around)
    if definition["tool"] is not None:
        found += _without_agent(definition, changed)
    if "calendars" in changed:
        found += [
            Problem("calendars", f"there is no calendar {name!r} in this context; see its list of calendars")
            for name in definition["calendars"]
            if name not in around.calendars
        ]
    if not found and (SCHEDULE_FIELDS | EXCLUSIONS.keys()) & set(changed):
        found += _left_over(definition, around, changed)
    return found


def _schedule(definition: Mapping[str, Any], around: Surroundings) -> Iterator[Problem]:
    try:
        schedule = schedule_of(definition)
        check(schedule, around.now)
    except ScheduleError as error:
        yield Problem(error.field, error.reason)
        return
    yield from _period(schedule, definition["jitter_seconds"], around.min_period_seconds)


def _left_over(
    definition: Mapping[str, Any], around: Surroundings, changed: Collection[str]
) -> Iterator[Problem]:
    """A job of which everything is left out would wait for ever, and nobody would know."""
    said = [field for field in EXCLUSIONS if definition[field]]
    if not said:
        return
    days = definition.get("calendar_dates", [])
    if "calendars" in changed:
        days = [day for name in definition["calendars"] for day in around.calendars[name]]
    schedule = schedule_of(definition)
    if schedule.next_after(around.now) is None:  # it is over
        return
    left_out = {"calendar_dates": days, "excluded_instants": (), "paused_until": None}
    if next_allowed(schedule, exclusions_of({**definition, **left_out}, schedule.zone), around.now) is None:
        told = " and ".join(EXCLUSIONS[field] for field in said)
        yield Problem(said[0], f"nothing is left to run: the schedule has no instant beside these {told}")


def _period(schedule: Schedule, jitter_seconds: int, min_period_seconds: int) -> Iterator[Problem]:
    shortest = shortest_period(schedule)
    if shortest is None:
        return
    seconds = int(shortest.total_seconds())
    if seconds < min_period_seconds:
        yield Problem(
            "cron_expression",
            f"runs every {seconds} s; this context allows one run in {min_period_seconds} s at most: "
            "choose a longer period, or have min_period_seconds of the context lowered",
        )
    elif jitter_seconds >= seconds:
        yield Problem(
            "jitter_seconds",
            f"must be less than the {seconds} s that two runs may be apart: they would cross",
        )


def _backoff(definition: Mapping[str, Any]) -> Iterator[Problem]:
    first, longest = definition["retry_backoff_seconds"], definition["retry_backoff_max_seconds"]
    if longest < first:
        yield Problem("retry_backoff_max_seconds", f"is less than retry_backoff_seconds ({first})")


def _tool(definition: Mapping[str, Any], around: Surroundings) -> Iterator[Problem]:
    name = definition["tool"]
    if name is None:
        if definition["arguments"]:
            yield Problem("arguments", "are for a tool: name one, or leave them out")
        if not definition["skill_prompt"].strip():
            yield Problem("skill_prompt", "must not be blank, unless the job calls a tool")
    elif name not in around.tools:
        known = ", ".join(sorted(around.tools))
        yield Problem("tool", f"there is no tool {name!r}; there are: {known}")
    else:
        yield from argument_problems(name, around.tools[name], definition["arguments"])


def _without_agent(definition: Mapping[str, Any], changed: Collection[str]) -> Iterator[Problem]:
    """What would never have an effect is a mistake of whoever says it."""
    for field, default in OF_AGENTS.items():
        if definition[field] != default and not {field, "tool"}.isdisjoint(changed):
            remedy = "null" if default is None else repr(default)
            yield Problem(
                field, f"has no effect where the job calls a tool: leave it out, or set it to {remedy}"
            )


def argument_problems(tool: str, schema: dict[str, Any], arguments: Mapping[str, Any]) -> Iterator[Problem]:
    """What the JSON Schema of a tool says against the arguments."""
    try:
        validator = _validator(json.dumps(checkable(tool, schema)))
        for error in sorted(validator.iter_errors(arguments), key=lambda error: error.json_path):
            yield Problem(_place(error), str(error.message)[:500])
    except (SchemaError, Unresolvable) as error:
        yield Problem("tool", f"its JSON Schema is not usable: {type(error).__name__}")


@functools.lru_cache(maxsize=256)
def _validator(schema: str) -> Validator:
    """Of a schema as text. To look at the schema itself takes longer than to look at what it describes.

    Raises:
        SchemaError: it is none.

    """
    found = json.loads(schema)
    kind = validator_for(found)
    kind.check_schema(found)
    # A registry of its own: a reference to elsewhere is never fetched.
    return kind(found, registry=Registry())


def _place(error: ValidationError) -> str:
    return "arguments" + error.json_path.removeprefix("$")
