"""iCalendar files, without servers: what they touch, and that none makes the gateway fail or hang."""

import contextlib
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rota_gateway.domain.ics import IcsError, days_of

TODAY = date(2026, 11, 22)
RULES = (
    "FREQ=YEARLY",
    "FREQ=DAILY;INTERVAL=0",
    "FREQ=HOURLY",
    "FREQ=WEEKLY;COUNT=3",
    "FREQ=X",
    "",
    "UNTIL=1",
)
LINES = ("DTSTART;VALUE=DATE:20261224", "DTSTART:20261224T080000Z", "DTSTART:x", "DTEND:20200101T000000Z")


def calendar(*lines: str) -> str:
    return "\r\n".join(
        ["BEGIN:VCALENDAR", "VERSION:2.0", "BEGIN:VEVENT", "UID:1", *lines, "END:VEVENT", "END:VCALENDAR", ""]
    )


def test_a_repeated_event_is_left_out_where_the_file_says_so() -> None:
    text = calendar(
        "DTSTART;VALUE=DATE:20201225", "RRULE:FREQ=YEARLY;UNTIL=20291231", "EXDATE;VALUE=DATE:20281225"
    )
    assert [day.year for day in days_of(text, TODAY, 5000)] == [2026, 2027, 2029]


def test_what_is_cancelled_leaves_out_no_day_whether_it_is_repeated_or_not() -> None:
    repeated = calendar("DTSTART;VALUE=DATE:20261201", "RRULE:FREQ=DAILY;COUNT=3")
    moved = ["BEGIN:VEVENT", "UID:1", "RECURRENCE-ID;VALUE=DATE:20261202", "DTSTART;VALUE=DATE:20261202"]
    single = ["BEGIN:VEVENT", "UID:2", "DTSTART;VALUE=DATE:20261210"]
    more = [
        *moved,
        "STATUS:CANCELLED",
        "END:VEVENT",
        *single,
        "STATUS:CANCELLED",
        "END:VEVENT",
        "END:VCALENDAR",
    ]
    text = repeated.replace("END:VCALENDAR", "\r\n".join(more))
    assert days_of(text, date(2026, 11, 22), 100) == [date(2026, 12, 1), date(2026, 12, 3)]


def test_a_file_may_begin_with_a_byte_order_mark() -> None:
    text = "\ufeff" + calendar("DTSTART;VALUE=DATE:20261201")
    assert days_of(text, date(2026, 11, 22), 100) == [date(2026, 12, 1)]


def test_a_timed_event_touches_the_days_of_its_own_zone() -> None:
    text = calendar("DTSTART;TZID=Pacific/Auckland:20261224T230000", "DURATION:PT2H")
    assert days_of(text, TODAY, 5000) == [date(2026, 12, 24), date(2026, 12, 25)]


@pytest.mark.parametrize("year", ["0001", "1899"])
def test_a_repetition_from_long_ago_is_refused(year: str) -> None:
    with pytest.raises(IcsError, match="1900"):
        days_of(calendar(f"DTSTART;VALUE=DATE:{year}0101", "RRULE:FREQ=DAILY"), TODAY, 5000)


@given(st.text())
def test_no_text_but_a_calendar_is_taken_for_one(text: str) -> None:
    with pytest.raises(IcsError):
        days_of(text, TODAY, 5000)


@given(st.lists(st.sampled_from(LINES), max_size=3), st.sampled_from(RULES))
def test_a_file_has_days_or_a_reason(lines: list[str], rule: str) -> None:
    with contextlib.suppress(IcsError):
        days = days_of(calendar(*lines, f"RRULE:{rule}"), TODAY, 5000)
        assert days == sorted(set(days))
        assert days
