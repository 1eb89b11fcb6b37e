"""A schedule in words."""

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from itertools import groupby, pairwise
from zoneinfo import ZoneInfo

from cron_descriptor import Options, get_description  # type: ignore[import-untyped]  # it has no py.typed

from rota_schedule.cron import Cron
from rota_schedule.days import Days
from rota_schedule.dst import instant_of
from rota_schedule.expression import UNITS, Part
from rota_schedule.fields import Field, Nth
from rota_schedule.interval import Interval
from rota_schedule.times import Times

UNIT_NAMES = dict(zip(UNITS.values(), ("week", "day", "hour", "minute", "second"), strict=True))
WEEKDAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = (
    *("", "January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
NTH: dict[Nth, str] = {1: "first", 2: "second", 3: "third", 4: "fourth", 5: "fifth", "l": "last"}

OPTIONS = Options(use_24hour_time_format=True, locale_code="en_US")


def sentence(parts: Sequence[Part], zone: ZoneInfo, start: datetime | None, end: datetime | None) -> str:
    """What the parts say, the zone, and the bounds in its time."""
    said = [_part(part, zone) for part in parts]
    text = "; ".join([said[0], *(each[0].lower() + each[1:] for each in said[1:])])
    text += f" ({zone.key})"
    if start is not None:
        text += f", from {_local(start, zone)}"
    if end is not None:
        text += f", until {_local(end, zone)}"
    return text


def _part(part: Part, zone: ZoneInfo) -> str:
    if isinstance(part, Cron):
        # Where the times go round the clock it need not be said that they do so every day.
        daily = "" if _plain(part.times.hours, 24).startswith("*") else ", every day"
        return _times(part.times) + (_days(part.days) or daily)
    if isinstance(part, Interval):
        return f"Every {_duration(part.period)}, counted from {_local(instant_of(part.anchor), zone)}"
    moment = _local(instant_of(part.instants[0]), zone)
    return f"Once at {moment}" if len(part.instants) == 1 else f"Both times that it is {moment}"


def _local(instant: datetime, zone: ZoneInfo) -> str:
    local = instant.astimezone(zone).replace(tzinfo=None)
    return local.isoformat(" ", "seconds" if local.second else "minutes")


def _duration(seconds: int) -> str:
    words = []
    for size, name in UNIT_NAMES.items():
        number, seconds = divmod(seconds, size)
        if number:
            words.append(f"{number} {name}{'s' if number > 1 else ''}")
    return " ".join(words).removeprefix("1 ") if len(words) == 1 else " ".join(words)


# cron-descriptor takes half a millisecond.
@lru_cache(maxsize=1_024)
def _times(times: Times) -> str:
    fields = [_plain(times.minutes, 60), _plain(times.hours, 24), "*", "*", "*"]
    if times.seconds.values != (0,):
        fields.insert(0, _plain(times.seconds, 60))
    return str(get_description(" ".join(fields), OPTIONS))


def _plain(field: Field, size: int) -> str:
    """The values in the form of which cron-descriptor says neither more nor less than is true."""
    first, *others = values = field.values
    steps = {later - earlier for earlier, later in pairwise(values)}
    if field.full or not others:
        return "*" if field.full else str(first)
    step = min(steps)
    if len(steps) == 1 and len(values) * step == size:
        return f"{first or '*'}/{step}"
    if len(others) == 1 or len(steps) > 1:
        return ",".join(map(str, values))
    return f"{first}-{values[-1]}" + (f"/{step}" if step > 1 else "")


def _days(days: Days) -> str:
    dates, weekdays = _dates(days.dates), _weekdays(days.weekdays)
    if days.dates.full or days.weekdays.full:
        needed = days.both or (days.dates.full and days.weekdays.full)
        text = f", on {dates or weekdays}" if needed and (dates or weekdays) else ""
    else:
        text = f", on {dates}, if that is {weekdays}" if days.both else f", on {dates} or on {weekdays}"
    return text if days.months.full else f"{text}, in {_joined(_runs(days.months.values, MONTHS))}"


def _dates(field: Field) -> str:
    if field.full:
        return ""
    if field.nearest is not None:
        return f"the weekday nearest to day {field.nearest} of the month"
    listed = _runs(field.values, [str(day) for day in range(32)])
    last = ["the last day"] if field.last else []
    days = [f"day {listed[0]}", *listed[1:]] if listed else []
    return f"{_joined(days + last)} of the month"


def _weekdays(field: Field) -> str:
    if field.full:
        return ""
    if field.nth:
        return (
            f"{_joined([f'the {NTH[nth]} {WEEKDAYS[weekday]}' for weekday, nth in field.nth])} of the month"
        )
    # Monday first, so that a weekend is a run.
    return _joined(_runs(sorted(weekday or 7 for weekday in field.values), WEEKDAYS))


def _runs(values: Sequence[int], names: Sequence[str]) -> list[str]:
    """The names of the values; three and more in a row as a range."""
    words = []
    for _, group in groupby(enumerate(values), lambda numbered: numbered[1] - numbered[0]):
        run = [names[value] for _, value in group]
        words += [f"{run[0]} through {run[-1]}"] if len(run) > 2 else run
    return words


def _joined(words: Sequence[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
