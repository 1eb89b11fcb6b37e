"""What people write as a schedule: cron fields, nicknames, `@every`, `@at`, and several of them."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from rota_schedule.cron import Cron, Gap, Repeat
from rota_schedule.days import days
from rota_schedule.dst import DAY, FIRST, LAST, instants_of, second_of
from rota_schedule.errors import ScheduleError
from rota_schedule.fields import FIVE, SIX
from rota_schedule.interval import Interval
from rota_schedule.moment import Moment
from rota_schedule.times import times

Part = Cron | Interval | Moment

MAX_LENGTH = 200
MAX_PARTS = 20
NICKNAMES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
UNITS = {"w": 7 * DAY, "d": DAY, "h": 3_600, "m": 60, "s": 1}
LONGEST_PERIOD = 366 * DAY
DURATION = re.compile(r"(?:\d{1,9}[wdhms])+", re.ASCII)
AT = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(:\d\d)?([Zz]|[+-]\d\d:\d\d)?", re.ASCII)
# A day on which to begin the search for days that never come; any would do.
SOME_DAY = 0


@dataclass(frozen=True, slots=True)
class Frame:
    """What an expression is read in: the clock, its rules, and where `@every` counts from."""

    zone: ZoneInfo
    gap: Gap
    repeat: Repeat
    seconds_field: bool
    anchor: int


def read(expression: str, frame: Frame) -> tuple[str, tuple[Part, ...]]:
    """The normal form of the expression, and its parts.

    Raises:
        ScheduleError: names the part and the field that is wrong.

    """
    texts = expression.split(";")
    if len(texts) > MAX_PARTS:
        raise _refusal(f"has {len(texts)} parts, at most {MAX_PARTS} are allowed")
    if len(texts) == 1:
        parts: tuple[Part, ...] = (_part(expression, frame),)
    else:
        parts = tuple(_part_of_several(number, text, frame) for number, text in enumerate(texts, 1))
    return "; ".join(part.text for part in parts), parts


def _refusal(reason: str) -> ScheduleError:
    return ScheduleError("cron_expression", reason)


def _part_of_several(number: int, text: str, frame: Frame) -> Part:
    try:
        return _part(text, frame)
    except ScheduleError as error:
        raise ScheduleError(error.field, f"part {number}: {error.reason}") from error


def _part(text: str, frame: Frame) -> Part:
    if len(text) > MAX_LENGTH:
        raise _refusal(f"has {len(text)} characters, at most {MAX_LENGTH} are allowed")
    words = text.split()
    keyword = words[0].lower() if words else ""
    if keyword == "@every":
        return _every(" ".join(words[1:]).lower(), frame)
    if keyword == "@at":
        return _at(" ".join(words[1:]), frame)
    if keyword.startswith("@"):
        return _cron(_nickname(keyword, words), frame.zone, frame.gap, frame.repeat)
    return _cron(_fields(words, frame), frame.zone, frame.gap, frame.repeat)


def _nickname(keyword: str, words: list[str]) -> str:
    if keyword == "@reboot":
        raise _refusal("@reboot: there is no boot to wait for; start the job by hand, or say @at with a time")
    if keyword not in NICKNAMES or len(words) > 1:
        known = ", ".join([*NICKNAMES, "@every", "@at"])
        raise _refusal(f"{' '.join(words)!r} is not valid; what begins with @ is one of {known}")
    return keyword


def _fields(words: list[str], frame: Frame) -> str:
    wanted = (5, 6) if frame.seconds_field else (5,)
    if len(words) in wanted:
        return " ".join(words)
    needed = f"five are needed: {', '.join(FIVE)}"
    if frame.seconds_field:
        needed += "; or six, with the second in front"
    elif len(words) == len(SIX):
        needed += "; a sixth, the second in front, is for jobs with seconds_field"
    raise _refusal(f"has {len(words)} fields; {needed}")


@lru_cache(maxsize=10_000)
def _cron(text: str, zone: ZoneInfo, gap: Gap, repeat: Repeat) -> Cron:
    fields = NICKNAMES.get(text, text).split()
    second = "0" if len(fields) == len(FIVE) else fields.pop(0)
    minute, hour, date, month, weekday = fields
    time, day = times(hour, minute, second), days(date, month, weekday)
    if day.since(SOME_DAY) is None:
        raise _refusal(f"{text!r} names a date that never comes: day {date} in month {month}")
    elapsed = "*" in minute or "*" in hour
    return Cron(
        text,
        zone,
        day,
        time,
        elapsed,
        shifts=gap == "shift" and not elapsed,
        repeats=repeat == "both" or elapsed,
    )


def _every(duration: str, frame: Frame) -> Interval:
    if not DURATION.fullmatch(duration):
        raise _refusal(f"@every {duration!r}: no duration such as 90s, 5m, 1h30m, 2d or 1w (whole seconds)")
    period = sum(int(number) * UNITS[unit] for number, unit in re.findall(r"(\d+)(\w)", duration))
    if period < 1:
        raise _refusal(f"@every {duration!r}: is shorter than a second")
    if period > LONGEST_PERIOD:
        raise _refusal(f"@every {duration!r}: is longer than 366 days")
    return Interval(f"@every {duration}", period, frame.anchor)


def _at(text: str, frame: Frame) -> Moment:
    given, text = text, text.upper().replace(" ", "T")
    try:
        if not AT.fullmatch(text):
            raise ValueError  # noqa: TRY301  told below, with every other bad instant
        when = datetime.fromisoformat(text)
        if not FIRST <= second_of(when.replace(tzinfo=when.tzinfo or UTC)) < LAST:
            raise ValueError  # noqa: TRY301  no zone could show it
    except ValueError as error:
        example = "2027-01-31T09:00, with seconds or an offset (Z, +01:00) where wanted"
        raise _refusal(f"@at {given!r}: no instant such as {example}") from error
    shifts, repeats = frame.gap == "shift", frame.repeat == "both"
    if when.tzinfo is not None:
        return Moment(f"@at {text}", (second_of(when),), None, shifts, repeats)
    wall = second_of(when.replace(tzinfo=UTC))
    instants, end_of_gap = instants_of(frame.zone, wall)
    if end_of_gap is not None and shifts:
        instants = [end_of_gap]
    if not instants:
        raise _refusal(f"@at {text!r}: the clock in {frame.zone.key} skips this time (dst_gap is skip)")
    return Moment(f"@at {text}", tuple(instants if repeats else instants[:1]), wall, shifts, repeats)
