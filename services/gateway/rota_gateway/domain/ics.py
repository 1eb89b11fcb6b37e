"""The days that the events of an iCalendar file touch."""

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta

import recurring_ical_events
from icalendar import Calendar, Event, vRecur

YEARS_AHEAD = 5
# What bounds the work: repeated events are expanded year by year, each from its begin.
MAX_EVENTS = 20_000
MAX_REPEATED = 200
FIRST_YEAR = 1900
# Windows programs begin a file with it.
BYTE_ORDER_MARK = "\ufeff"
REMEDY = "split it into several calendars, or give the days themselves as dates"
# A day may have no more than one occurrence of an event: a calendar is about days.
FREQUENCIES = frozenset({"DAILY", "WEEKLY", "MONTHLY", "YEARLY"})
WITHIN_A_DAY = ("BYHOUR", "BYMINUTE", "BYSECOND")


class IcsError(ValueError):
    """What is wrong with the file, for people."""


def days_of(text: str, today: date, at_most: int) -> list[date]:
    """Each day once, in order: of single events all, of repeated ones those up to five years ahead.

    A timed event touches the days that it says, in its own zone; one that is cancelled touches none.

    Raises:
        IcsError: it is no iCalendar file, has no events, or too many.

    """
    try:
        return _days(_calendar(text), today, at_most)
    except IcsError:
        raise
    except Exception as error:  # what a foreign file does to the libraries, they do not all foresee
        raise IcsError(f"cannot be read: {str(error)[:200] or type(error).__name__}") from error


def _days(calendar: Calendar, today: date, at_most: int) -> list[date]:
    repeated = [event for event in calendar.events if _is_repeated(event)]
    for event in repeated:
        _check_rules(event)
    if len(repeated) > MAX_REPEATED:
        raise IcsError(f"has {len(repeated)} repeated events, at most {MAX_REPEATED} are allowed: {REMEDY}")
    days: set[date] = set()
    for number, event in enumerate(_events(calendar, today), 1):
        if number > MAX_EVENTS:
            raise IcsError(f"has more than {MAX_EVENTS} events in {YEARS_AHEAD} years: {REMEDY}")
        days.update(_touched(event, at_most + 1))
        if len(days) > at_most:
            raise IcsError(f"touches more than {at_most} days in {YEARS_AHEAD} years: {REMEDY}")
    if not days:
        raise IcsError(f"has no event, or only repeated ones that are not in the next {YEARS_AHEAD} years")
    return sorted(days)


def _calendar(text: str) -> Calendar:
    try:
        calendar = Calendar.from_ical(text.removeprefix(BYTE_ORDER_MARK))
    except (ValueError, KeyError, IndexError) as error:
        raise IcsError(f"is no iCalendar file: {str(error)[:200]}") from error
    if not isinstance(calendar, Calendar):
        raise IcsError("is no iCalendar file: it does not begin with BEGIN:VCALENDAR")
    return calendar


def _is_repeated(event: Event) -> bool:
    return "RRULE" in event or "RDATE" in event or "RECURRENCE-ID" in event


def _is_cancelled(event: Event) -> bool:
    return str(event.get("STATUS", "")).upper() == "CANCELLED"


def _check_rules(event: Event) -> None:
    if _day(_times(event)[0]).year < FIRST_YEAR:
        raise IcsError(f"has a repeated event that begins before {FIRST_YEAR}")
    rules = event.get("RRULE", [])
    for rule in rules if isinstance(rules, list) else [rules]:
        frequency = str(next(iter(rule.get("FREQ", [""])))).upper()
        if frequency not in FREQUENCIES or any(name in rule for name in WITHIN_A_DAY):
            raise IcsError(f"repeats an event within a day ({_shown(rule)}); a calendar is about days")
        if any(int(interval) < 1 for interval in rule.get("INTERVAL", [1])):
            raise IcsError(f"repeats an event without an interval ({_shown(rule)})")


def _shown(rule: vRecur) -> str:
    return str(dict(rule))[:100]


def _events(calendar: Calendar, today: date) -> Iterator[Event]:
    """Single events as they are, repeated ones expanded."""
    yield from (event for event in calendar.events if not (_is_repeated(event) or _is_cancelled(event)))
    if not any(_is_repeated(event) for event in calendar.events):
        return
    expanded = recurring_ical_events.of(calendar, components=["VEVENT"], skip_bad_series=True)
    begin = today.replace(month=1, day=1)
    for year in range(begin.year, begin.year + YEARS_AHEAD + 1):
        found = expanded.between(begin.replace(year=year), begin.replace(year=year + 1))
        yield from (event for event in found if not _is_cancelled(event))


def _touched(event: Event, at_most: int) -> Iterator[date]:
    """Its days; the end is exclusive, as iCalendar has it."""
    begin, end = _times(event)
    first, last = _day(begin), _day(end)
    if last > first and (not isinstance(end, datetime) or end.time() == time()):
        last -= timedelta(days=1)
    for number in range(min((last - first).days + 1, at_most)):
        yield first + timedelta(days=number)


def _times(event: Event) -> tuple[date, date]:
    try:
        return event.start, event.end
    except (ValueError, TypeError) as error:
        raise IcsError(f"has an event without a usable time: {str(error)[:200]}") from error


def _day(moment: date) -> date:
    return moment.date() if isinstance(moment, datetime) else moment
