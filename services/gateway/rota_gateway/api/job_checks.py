"""Definitions checked together with what is around them, and completed to what is stored."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

from rota_gateway.api.job_fields import target_problem
from rota_gateway.domain.checks import Surroundings, problems
from rota_gateway.errors import FieldError, InvalidError, NotFoundError
from rota_gateway.repository import calendars, clock, contexts, tools
from rota_gateway.repository.connection import Connection


async def surroundings(
    connection: Connection, context_id: UUID, definitions: Sequence[Mapping[str, Any]]
) -> Surroundings:
    """What these definitions, or what is to change in one, are to be checked against."""
    context = await contexts.get(connection, context_id)
    if context is None:
        raise NotFoundError("context")
    names = {name for definition in definitions for name in definition.get("calendars", [])}
    calls_tools = any({"tool", "arguments", "skill_prompt"} & one.keys() for one in definitions)
    known = await tools.every(connection, context_id) if calls_tools else {}
    return Surroundings(
        now=await clock.now(connection),
        min_period_seconds=context["min_period_seconds"],
        calendars=await calendars.dates_by_name(connection, context_id, names),
        tools={name: tool.parameters for name, tool in known.items()},
    )


def errors_of(
    definition: Mapping[str, Any], around: Surroundings, changed: Collection[str]
) -> list[FieldError]:
    errors = [FieldError(field, message) for field, message in problems(definition, around, changed)]
    if wrong := target_problem(definition["notification_channel"], definition["notification_target"]):
        errors.append(FieldError("notification_target", wrong))
    return errors


def checked(definition: dict[str, Any], around: Surroundings, changed: Collection[str]) -> None:
    """Raises InvalidError, which names each field that does not fit."""
    if errors := errors_of(definition, around, changed):
        raise InvalidError(errors)


def calendar_dates(definition: Mapping[str, Any], around: Surroundings) -> list[Any]:
    """The days of the calendars that it names, each once."""
    return sorted({day for name in definition["calendars"] for day in around.calendars[name]})
