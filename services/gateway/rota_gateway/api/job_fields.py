"""A job as people define it: the fields, their bounds, and what must fit together."""

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from rota_gateway.api.fields import Description, Input, Label, Line, Name, Patch, Prompt, is_email
from rota_gateway.domain import shortest_period_seconds
from rota_gateway.errors import FieldError, InvalidError
from rota_schedule import ScheduleError, parse

CHANNELS = ("email",)
# Five fields cannot come closer together.
CRON_RESOLUTION_SECONDS = 60


def _cron(value: str) -> str:
    return _parsed(value, cron_expression=value)


def _zone(value: str) -> str:
    return _parsed(value, timezone=value)


def _parsed(value: str, *, cron_expression: str = "* * * * *", timezone: str = "UTC") -> str:
    """The value, when it is right beside a counterpart that is."""
    try:
        parse(cron_expression, timezone)
    except ScheduleError as error:
        raise ValueError(error.reason) from error
    return value


def _channel(value: str) -> str:
    if value not in CHANNELS:
        raise ValueError(f"is not available; available: {', '.join(CHANNELS)}")
    return value


Cron = Annotated[Line, AfterValidator(_cron)]
Timezone = Annotated[Line, AfterValidator(_zone), Field(description="IANA name")]
Channel = Annotated[Line, AfterValidator(_channel), Field(description="email")]
Timeout = Annotated[int, Field(ge=30, le=3600, description="seconds after which a run is ended as an error")]
Retries = Annotated[int, Field(ge=0, le=10)]


class JobInput(Input):
    """A new job."""

    name: Name
    description: Description | None = None
    cron_expression: Annotated[
        Cron, Field(description="five fields: minute hour day-of-month month day-of-week")
    ]
    timezone: Timezone = "UTC"
    agent_name: Label = "orchestrator"
    skill_prompt: Prompt
    is_enabled: bool = True
    notification_channel: Channel | None = None
    notification_target: Annotated[Line | None, Field(validate_default=True)] = None
    timeout_seconds: Timeout = 300
    max_retries: Retries = 0

    @field_validator("notification_target")
    @classmethod
    def _fits_channel(cls, target: str | None, info: ValidationInfo) -> str | None:
        """Told along with the fields that are wrong by themselves; a patch is paired with what is stored."""
        if "notification_channel" in info.data and (
            problem := _target_problem(info.data["notification_channel"], target)
        ):
            raise ValueError(problem)
        return target


class JobPatch(Patch):
    """What is to change; null clears what may be empty."""

    name: Name = ""
    description: Description | None = None
    cron_expression: Cron = ""
    timezone: Timezone = ""
    agent_name: Label = ""
    skill_prompt: Prompt = ""
    is_enabled: bool = True
    notification_channel: Channel | None = None
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
    problem = _target_problem(definition["notification_channel"], definition["notification_target"])
    return [FieldError("notification_target", problem)] if problem else []


def _target_problem(channel: str | None, target: str | None) -> str | None:
    """Why this is no target for the channel; one is never without the other."""
    if channel is None:
        return None if target is None else "needs a notification_channel"
    if target is None:
        return "is missing: a channel needs a target"
    return None if is_email(target) else "is no email address"
