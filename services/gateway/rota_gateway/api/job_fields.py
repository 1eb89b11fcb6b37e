"""A job as people define it: the fields, their bounds, and what must fit together."""

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import Field

from rota_gateway.api.fields import Description, Input, Label, Line, Name, Patch, Prompt, is_email
from rota_gateway.domain import shortest_period_seconds
from rota_gateway.errors import FieldError, InvalidError
from rota_schedule import ScheduleError, parse

CHANNELS = ("email",)
# Five fields cannot come closer together.
CRON_RESOLUTION_SECONDS = 60

Timeout = Annotated[int, Field(ge=30, le=3600, description="seconds after which a run is ended as an error")]
Retries = Annotated[int, Field(ge=0, le=10)]


class JobInput(Input):
    """A new job."""

    name: Name
    description: Description | None = None
    cron_expression: Annotated[
        Line, Field(description="five fields: minute hour day-of-month month day-of-week")
    ]
    timezone: Annotated[Line, Field(description="IANA name")] = "UTC"
    agent_name: Label = "orchestrator"
    skill_prompt: Prompt
    is_enabled: bool = True
    notification_channel: Annotated[Line, Field(description="email")] | None = None
    notification_target: Line | None = None
    timeout_seconds: Timeout = 300
    max_retries: Retries = 0


class JobPatch(Patch):
    """What is to change; null clears what may be empty."""

    name: Name = ""
    description: Description | None = None
    cron_expression: Line = ""
    timezone: Line = ""
    agent_name: Label = ""
    skill_prompt: Prompt = ""
    is_enabled: bool = True
    notification_channel: Line | None = None
    notification_target: Line | None = None
    timeout_seconds: Timeout = 300
    max_retries: Retries = 0


def checked(definition: dict[str, Any], *, min_period_seconds: int) -> dict[str, Any]:
    """The definition, when its fields fit together and into the context.

    Raises:
        InvalidError: names each field that does not.

    """
    errors = [*_channel_errors(definition), *_schedule_errors(definition, min_period_seconds)]
    if errors:
        raise InvalidError(errors)
    return definition


def _schedule_errors(definition: dict[str, Any], min_period_seconds: int) -> list[FieldError]:
    try:
        schedule = parse(definition["cron_expression"], definition["timezone"])
    except ScheduleError as error:
        return [FieldError(error.field, error.reason)]
    if min_period_seconds <= CRON_RESOLUTION_SECONDS:
        return []
    period = shortest_period_seconds(schedule, datetime.now(UTC))
    if period is not None and period < min_period_seconds:
        message = f"runs every {period:.0f} s; this context allows one run in {min_period_seconds} s at most"
        return [FieldError("cron_expression", message)]
    return []


def _channel_errors(definition: dict[str, Any]) -> list[FieldError]:
    channel, target = definition["notification_channel"], definition["notification_target"]
    if channel is None and target is None:
        return []
    if channel is None:
        return [FieldError("notification_channel", "is missing: a target needs a channel")]
    if channel not in CHANNELS:
        return [FieldError("notification_channel", f"is not available; available: {', '.join(CHANNELS)}")]
    if target is None:
        return [FieldError("notification_target", "is missing: a channel needs a target")]
    if not is_email(target):
        return [FieldError("notification_target", "is no email address")]
    return []
