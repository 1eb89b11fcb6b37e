"""What a schedule would do, before there is a job with it."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import Field

from rota_gateway.api.answers import Answer, Instant
from rota_gateway.api.schedule_fields import Moment, ScheduleInput
from rota_gateway.domain.previews import next_instants
from rota_gateway.domain.schedules import exclusions_of, schedule_of
from rota_gateway.edge.unit import ApiRoute, CurrentUnit
from rota_gateway.errors import FieldError, InvalidError
from rota_gateway.repository import clock
from rota_schedule import ScheduleError, check

router = APIRouter(tags=["schedules"], route_class=ApiRoute)


class PreviewInput(ScheduleInput):
    after: Moment | None = Field(default=None, description="now, unless told otherwise")
    count: Annotated[int, Field(ge=1, le=100)] = 5


class Upcoming(Answer):
    utc: Instant
    local: datetime = Field(description="as the clock of the zone shows it")
    note: str = Field(description="what a change of that clock does, and what is left out before it")


class Preview(Answer):
    description: str
    next: list[Upcoming]


@router.post("/schedules/preview")
async def preview_schedule(asked: PreviewInput, unit: CurrentUnit) -> Preview:
    """The schedule in words and its next instants; excluded dates are left out of them, and noted.

    `@every` counts from `start_at`, else from `after`, as it will from the creation of a job.
    """
    after = asked.after or await clock.now(unit.connection)
    nothing: dict[str, Any] = {"calendar_dates": [], "excluded_instants": [], "paused_until": None}
    definition = {**asked.model_dump(), **nothing, "created_at": after}
    try:
        schedule = schedule_of(definition)
        check(schedule, after)
    except ScheduleError as error:
        raise InvalidError([FieldError(error.field, error.reason)]) from error
    found = next_instants(schedule, exclusions_of(definition, schedule.zone), after, asked.count)
    return Preview(
        description=schedule.describe(), next=[Upcoming.model_validate(one._asdict()) for one in found]
    )
