"""A schedule as people write it: the kinds of fields and their bounds."""

import re
from datetime import UTC, date, datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field, ValidationInfo

from rota_gateway.api.fields import Input, Line, trimmed
from rota_schedule import ScheduleError, parse

DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
INSTANT = re.compile(
    r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?([Zz]|[+-]\d{2}:\d{2})", re.ASCII
)
# Where every zone and the database still know the calendar.
FIRST_YEAR, LAST_YEAR = 1970, 9000
MAX_DATES = 1_000


def _joined(value: object) -> object:
    """Several expressions are one, with semicolons between them."""
    if isinstance(value, list) and value and all(isinstance(part, str) for part in value):
        value = "; ".join(value)
    return trimmed(value)


def _cron(value: str, info: ValidationInfo) -> str:
    # Where it is not known (a patch, or wrong itself) six fields are not a mistake of this field.
    return _parsed(value, cron_expression=value, seconds_field=info.data.get("seconds_field", True))


def _zone(value: str) -> str:
    return _parsed(value, timezone=value)


def _parsed(
    value: str, *, cron_expression: str = "* * * * *", timezone: str = "UTC", seconds_field: bool = False
) -> str:
    """The value, when it is right beside a counterpart that is."""
    try:
        parse(cron_expression, timezone, seconds_field=seconds_field)
    except ScheduleError as error:
        raise ValueError(error.reason) from error
    return value


def _written(pattern: re.Pattern[str], example: str) -> BeforeValidator:
    """JSON has neither days nor instants: a number is never taken for one."""

    def check(value: Any) -> Any:
        if isinstance(value, date) or (isinstance(value, str) and pattern.fullmatch(value)):
            return value
        raise ValueError(f"must be written like {example}")

    return BeforeValidator(check)


def _in_utc(instant: datetime) -> datetime:
    if not FIRST_YEAR < instant.year < LAST_YEAR:
        raise ValueError(f"must lie between the years {FIRST_YEAR} and {LAST_YEAR}")
    return instant.astimezone(UTC)


def in_order(dates: list[date]) -> list[date]:
    return sorted(set(dates))


Cron = Annotated[
    str,
    BeforeValidator(_joined),
    AfterValidator(_cron),
    Field(
        description="five fields (minute hour day-of-month month day-of-week), six with seconds_field, "
        "@hourly … @yearly, @every 90s, @at 2027-01-31T09:00; several with ; between them, or a list"
    ),
]
Timezone = Annotated[Line, AfterValidator(_zone), Field(description="IANA name")]
Gap = Annotated[Literal["shift", "skip"], Field(description="a time that the clock skips")]
Repeat = Annotated[Literal["first", "both"], Field(description="a time that the clock shows twice")]
Day = Annotated[date, Field(strict=False), _written(DAY, "2027-01-31")]
Days = Annotated[list[Day], Field(max_length=MAX_DATES), AfterValidator(in_order)]
Moment = Annotated[
    AwareDatetime,
    Field(strict=False),
    _written(INSTANT, "2027-01-31T09:00:00Z, with Z or an offset"),
    AfterValidator(_in_utc),
]


class ScheduleInput(Input):
    """When something is due."""

    # Before the expression, which is read by it.
    seconds_field: bool = Field(default=False, description="whether six fields are allowed, the second first")
    cron_expression: Cron
    timezone: Timezone = "UTC"
    dst_gap: Gap = "shift"
    dst_repeat: Repeat = "first"
    start_at: Moment | None = None
    end_at: Moment | None = None
    excluded_dates: Days = Field(default=[], description="days in the time zone on which nothing is due")
