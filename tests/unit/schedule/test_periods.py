"""How close together two instants can come."""

from calendar import isleap
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rota_schedule import Schedule, parse

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
YEAR = timedelta(days=366)


sparse = st.one_of(
    st.tuples(
        st.sampled_from(["0", "7,50", "59", "*/20"]),
        st.sampled_from(["0", "9", "0,23", "8-10"]),
        st.sampled_from(["*", "*/2"]),
        st.just("*"),
        st.sampled_from(["*", "1", "1-5", "6-2"]),
    ).map(" ".join),
    st.sampled_from(["@every 7h", "@every 90m", "@every 1d", "@every 5d", "0 0 29 2 *", "30 6 1 * *"]),
)


def by_looking(schedule: Schedule) -> timedelta | None:
    """The shortest distance in a year, apart from pairs with a change of the clock between them."""
    found = list(schedule.between(BEGIN, BEGIN + YEAR))
    pairs = [
        (earlier, later)
        for earlier, later in pairwise(found)
        if earlier.astimezone(schedule.zone).utcoffset() == later.astimezone(schedule.zone).utcoffset()
    ]
    return min((later - earlier for earlier, later in pairs), default=None)


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin"])
@pytest.mark.parametrize(
    ("expression", "seconds"),
    [
        ("0 * * * *", 3600),
        ("*/70 * * * *", 3600),
        ("*/7 12 * * *", 7 * 60),
        ("0,59 0,23 * * *", 60),
        ("0 0,23 * * *", 3600),
        ("30 7 * * 1-5", 86_400),
        ("30 7 * * 1", 7 * 86_400),
        ("0 9 1 * *", 28 * 86_400),
        ("0 9 L * *", 28 * 86_400),
        ("0 9 1,L * *", 86_400),
        ("0 9 * * 5#2", 28 * 86_400),
        ("0 9 1 1,12 *", 31 * 86_400),
        ("0,1 0 1 1 *", 60),
        ("0 0 1 1 *; 59 23 31 12 *", 60),
        ("0 9 * * *; 0 9 * * *", 86_400),
        ("0 9 * * 1; 10 9 * * 2", 86_400 + 600),
        ("0 9 * * 1; 10 9 * * 1", 600),
        ("0 9 * * 1; 0 9 * * 4; 30 9 1 * *", 1800),
        ("@every 90m", 5400),
        ("@every 90m; @every 60m", 1800),
        ("@every 1h; @every 1h", 3600),
        ("@every 1h; 0 9 * * *", 3600),
        ("@every 1h; 20 9 * * *", 1200),
        ("@every 7h; 0 9 * * *", 3600),
        ("@every 2h; 0 9 * * *", 3600),
        ("0 9 * * *; @at 2026-05-01T09:10", 600),
        ("0 9 * * *; @at 2026-05-01T08:50", 600),
        ("0 9 * * *; @at 2026-05-01T09:00", 86_400),
        ("@at 2026-05-01T09:00; @at 2026-05-01T10:00", 3600),
        ("@every 6d; @at 2026-05-01T09:00; @at 2026-05-01T10:00", 3600),
    ],
)
def test_it_is_what_a_year_shows(expression: str, seconds: int, zone: str) -> None:
    schedule = parse(expression, zone)
    assert schedule.shortest_period() == timedelta(seconds=seconds)
    if "*/70" not in expression:
        expected = by_looking(schedule)
        assert expected == timedelta(seconds=seconds)


@pytest.mark.parametrize("step", [1, 2, 3, 4, 5, 6, 7])
@pytest.mark.parametrize(("month", "day"), [(1, 1), (2, 29), (12, 31)])
def test_days_that_are_years_apart_are_seen_over_four_centuries(month: int, day: int, step: int) -> None:
    """A star in both day fields joins them by "and"."""
    years = [year for year in range(2000, 2500) if day != 29 or isleap(year)]
    days = [date(year, month, day) for year in years]
    found = [each for each in days if each.isoweekday() % 7 % step == 0]
    expected = min(later - earlier for earlier, later in pairwise(found))
    assert parse(f"0 0 {day} {month} */{step}").shortest_period() == expected


@pytest.mark.parametrize("expression", ["* * * * * *", "*/5 * * * * *; 0 9 * * *", "@every 1s; @every 60s"])
def test_seconds_come_a_second_apart_or_five(expression: str) -> None:
    expected = 5 if expression.startswith("*/5") else 1
    assert parse(expression, seconds_field=True).shortest_period() == timedelta(seconds=expected)


def test_a_moment_has_no_period() -> None:
    assert parse("@at 2026-05-01T09:00").shortest_period() is None
    assert parse("@at 2026-10-25T02:30", "Europe/Berlin", dst_repeat="both").shortest_period() is None


@settings(max_examples=60, deadline=None)
@given(st.lists(sparse, min_size=1, max_size=3).map("; ".join), st.sampled_from(["UTC", "Europe/Berlin"]))
def test_no_year_shows_a_shorter_one(expression: str, zone: str) -> None:
    schedule = parse(expression, zone)
    seen, said = by_looking(schedule), schedule.shortest_period()
    assert said is not None
    assert seen is None or seen >= said
    if "@" not in expression and "29 2" not in expression:
        # Two crons meet within a year as closely as they ever do when each has a few days in every month.
        assert seen == said
