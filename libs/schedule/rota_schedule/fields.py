"""What one field of a cron expression means; croniter reads it."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from croniter import CroniterError, croniter

from rota_schedule.errors import ScheduleError

Name = Literal["second", "minute", "hour", "day of month", "month", "day of week"]
Nth = int | Literal["l"]

FIVE: tuple[Name, ...] = ("minute", "hour", "day of month", "month", "day of week")
SIX: tuple[Name, ...] = ("second", *FIVE)
BOUNDS: dict[Name, tuple[int, int]] = {
    "second": (0, 59),
    "minute": (0, 59),
    "hour": (0, 23),
    "day of month": (1, 31),
    "month": (1, 12),
    "day of week": (0, 6),
}
# Beside values, for people.
FORMS: dict[Name, str] = {
    "day of month": "; L is the last day, 15W the weekday nearest to the 15th",
    "day of week": " (or sun to sat); 5#2 is the second Friday, L5 the last one",
}
# croniter takes the seconds at the end unless told otherwise.
ORDER: tuple[Name, ...] = (*FIVE, "second")
NAMES = (
    *("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"),
    *("sun", "mon", "tue", "wed", "thu", "fri", "sat"),
)


@dataclass(frozen=True, eq=False, slots=True)
class Field:
    """The values of a field; Sunday is 0."""

    text: str
    values: tuple[int, ...]
    # Debian's cron joins the two day fields by "and" when one of them begins with a star.
    star: bool
    # All values that there are.
    full: bool
    # L among the days of the month.
    last: bool = False
    # 15W: the weekday nearest to the 15th.
    nearest: int | None = None
    # 5#2 or L5: the second, or last, Friday.
    nth: tuple[tuple[int, Nth], ...] = ()


@lru_cache(maxsize=4_096)
def field(name: Name, text: str) -> Field:
    """The meaning of `text` in the field `name`.

    Raises:
        ScheduleError: it has none.

    """
    lowered = text.lower()
    expanded, nth = _expanded(name, text)
    low, high = BOUNDS[name]
    everything = tuple(range(low, high + 1))
    numbers = tuple(value for value in expanded if isinstance(value, int))
    values = everything if "*" in expanded else numbers
    return Field(
        text=text,
        values=values,
        star=lowered[0] in "*?",
        full=values == everything and not nth,
        last="l" in expanded,
        nearest=int(lowered.strip("w")) if name == "day of month" and "w" in lowered else None,
        nth=tuple((weekday, each) for weekday, several in sorted(nth.items()) for each in several),
    )


def _expanded(name: Name, text: str) -> tuple[list[int | str], dict[int, set[Nth]]]:
    lowered = text.lower()
    if not text.isascii() or any(letter in "rh" for letter in _without_names(lowered)):
        # croniter knows R and H: a random value at each call, and one hashed from a name.
        raise _refusal(
            name, text, "R and H (random and hashed values) are no times" if text.isascii() else None
        )
    if name == "day of week" and len({"#" in each or "l" in each for each in lowered.split(",")}) > 1:
        raise _refusal(name, text, "weekdays with and without # or L cannot be mixed")
    alone = " ".join(lowered if each == name else "*" for each in ORDER)
    try:
        values, nth = croniter.expand(alone)
    except (CroniterError, ValueError) as error:
        raise _refusal(name, text) from error
    return list(values[ORDER.index(name)]), {int(weekday): set(each) for weekday, each in nth.items()}


def _refusal(name: Name, text: str, reason: str | None = None) -> ScheduleError:
    low, high = BOUNDS[name]
    values = f"its values go from {low} to {high}{FORMS.get(name, '')}; ranges are a-b, steps /1 or more"
    why = reason or values
    return ScheduleError("cron_expression", f"the field {name} ({text!r}) is not valid: {why}")


def _without_names(field: str) -> str:
    """The field without the names of months and weekdays, some of which have an R or an H."""
    for name in NAMES:
        field = field.replace(name, "")
    return field
