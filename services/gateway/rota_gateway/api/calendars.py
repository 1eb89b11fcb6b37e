"""Calendars: named days of a context on which the jobs that name them are not due."""

from datetime import date
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter
from pydantic import AfterValidator, Field

from rota_gateway.api.answers import Answer, Instant
from rota_gateway.api.fields import Input, Label, Patch
from rota_gateway.api.job_answers import change_of
from rota_gateway.api.schedule_fields import Day, in_order
from rota_gateway.calendar_files import days_in
from rota_gateway.domain.ics import IcsError
from rota_gateway.edge.paging import CurrentPaging, Page
from rota_gateway.edge.unit import ApiRoute, CurrentUnit, Unit
from rota_gateway.errors import ConflictError, FieldError, InvalidError, NotFoundError
from rota_gateway.repository import access, calendars, clock

router = APIRouter(tags=["calendars"], route_class=ApiRoute)

MAX_DATES = 5_000
MAX_ICS_CHARACTERS = 1_000_000
MAX_NAMED = 10

Dates = Annotated[list[Day], Field(max_length=MAX_DATES), AfterValidator(in_order)]
Ics = Annotated[
    str,
    Field(
        min_length=1,
        max_length=MAX_ICS_CHARACTERS,
        description="an iCalendar file instead of dates: the days that its events touch, repeated events "
        "for five years ahead",
    ),
]


class Calendar(Answer):
    id: UUID
    context_id: UUID
    name: str
    dates: list[date]
    job_count: int = Field(description="how many jobs name it")
    created_at: Instant
    updated_at: Instant


class CalendarInput(Input):
    name: Label
    dates: Dates | None = None
    ics: Ics | None = None


class CalendarPatch(Patch):
    name: Label = ""
    dates: Dates = Field(default=[])
    ics: Ics = ""


@router.get("/contexts/{context_id}/calendars")
async def list_calendars(context_id: UUID, unit: CurrentUnit, paging: CurrentPaging) -> Page[Calendar]:
    await access.require(unit.connection, context_id, "read")
    found = await calendars.page_of_context(unit.connection, context_id, paging.after, paging.fetch)
    return paging.page(found, Calendar.model_validate)


@router.post("/contexts/{context_id}/calendars", status_code=201)
async def create_calendar(context_id: UUID, definition: CalendarInput, unit: CurrentUnit) -> Calendar:
    await access.require(unit.connection, context_id, "write")
    given = definition.model_dump(exclude_none=True)
    days = await _days(given, unit)
    if days is None:
        raise InvalidError([FieldError("dates", "are missing: give dates, or an iCalendar file as ics")])
    calendar_id = await calendars.add(unit.connection, context_id, definition.name, days)
    return await get_calendar(calendar_id, unit)


@router.get("/calendars/{calendar_id}")
async def get_calendar(calendar_id: UUID, unit: CurrentUnit) -> Calendar:
    found = await calendars.get(unit.connection, calendar_id)
    if found is None:
        raise NotFoundError("calendar")
    return Calendar.model_validate(found)


@router.patch("/calendars/{calendar_id}")
async def update_calendar(calendar_id: UUID, patch: CalendarPatch, unit: CurrentUnit) -> Calendar:
    """The jobs that name it leave its new days out from now on, and follow a new name."""
    given = patch.model_dump(exclude_unset=True)
    await _require_writable(calendar_id, unit)
    days = await _days(given, unit)  # which may take a while: nobody waits for the calendar meanwhile
    stored = await calendars.lock(unit.connection, calendar_id)
    changes: dict[str, Any] = {
        "name": given.get("name", stored["name"]),
        "dates": stored["dates"] if days is None else days,
    }
    if any(changes[name] != stored[name] for name in changes):
        await calendars.update(unit.connection, calendar_id, **changes)
        changed = await calendars.follow(
            unit.connection, stored["context_id"], before=stored["name"], name=changes["name"]
        )
        unit.hints.extend(change_of(job, "updated") for job in changed)
    return await get_calendar(calendar_id, unit)


@router.delete("/calendars/{calendar_id}", status_code=204)
async def delete_calendar(calendar_id: UUID, unit: CurrentUnit) -> None:
    """Not while a job names it: its days would run all at once."""
    await _require_writable(calendar_id, unit)
    stored = await calendars.lock(unit.connection, calendar_id)
    naming = await calendars.jobs_naming(unit.connection, stored["context_id"], stored["name"])
    if naming:
        named = ", ".join(repr(name) for name in naming[:MAX_NAMED])
        more = f" and {len(naming) - MAX_NAMED} more" if len(naming) > MAX_NAMED else ""
        raise ConflictError(
            f"The calendar {stored['name']!r} is named by the jobs {named}{more}: take it out of them first."
        )
    await calendars.delete(unit.connection, calendar_id)


async def _require_writable(calendar_id: UUID, unit: Unit) -> None:
    found = await calendars.get(unit.connection, calendar_id)
    if found is None:
        raise NotFoundError("calendar")
    await access.require(unit.connection, found["context_id"], "write")


async def _days(given: dict[str, Any], unit: Unit) -> list[date] | None:
    """The days of dates or of an iCalendar file; None where neither is given."""
    if "ics" not in given:
        return given.get("dates")
    if "dates" in given:
        raise InvalidError([FieldError("ics", "is given beside dates: leave one of the two out")])
    today = (await clock.now(unit.connection)).date()
    try:
        return await days_in(given["ics"], today, MAX_DATES)
    except IcsError as error:
        raise InvalidError([FieldError("ics", str(error))]) from error
