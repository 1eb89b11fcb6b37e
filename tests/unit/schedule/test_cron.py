"""The arithmetic of schedules, against a second library and against brute force."""

from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim
from hypothesis import given, settings
from hypothesis import strategies as st

from rota_schedule import ScheduleError, parse

ODD_ZONES = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Africa/Casablanca",
    "Antarctica/Troll",
    "Asia/Tehran",
    "Asia/Kathmandu",
    "Pacific/Apia",
]


def local(expression: str, zone: str, start: str, count: int, **rule: Any) -> list[str]:
    """The next instants in local time, as text."""
    schedule = parse(expression, zone, **rule)
    begin = datetime.fromisoformat(start)
    found = islice(schedule.after(begin), count)
    return [instant.astimezone(ZoneInfo(zone)).isoformat(timespec="minutes") for instant in found]


def test_a_fixed_time_in_the_gap_runs_at_its_end_or_not_at_all() -> None:
    start = "2026-03-28T12:00+00:00"
    assert local("30 2 * * *", "Europe/Berlin", start, 2) == [
        "2026-03-29T03:00+02:00",
        "2026-03-30T02:30+02:00",
    ]
    assert local("30 2 * * *", "Europe/Berlin", start, 1, dst_gap="skip") == ["2026-03-30T02:30+02:00"]


def test_two_fixed_times_in_the_gap_run_once_at_its_end() -> None:
    found = local("15,45 2 * * *", "Europe/Berlin", "2026-03-28T12:00+00:00", 2)
    assert found == ["2026-03-29T03:00+02:00", "2026-03-30T02:15+02:00"]


def test_a_fixed_time_that_is_repeated_runs_once_or_both_times() -> None:
    start = "2026-10-24T12:00+00:00"
    first = ["2026-10-25T02:30+02:00", "2026-10-26T02:30+01:00"]
    both = ["2026-10-25T02:30+02:00", "2026-10-25T02:30+01:00"]
    assert local("30 2 * * *", "Europe/Berlin", start, 2) == first
    assert local("30 2 * * *", "Europe/Berlin", start, 2, dst_repeat="both") == both


def test_a_job_of_every_half_hour_follows_elapsed_time() -> None:
    found = local("*/30 * * * *", "Europe/Berlin", "2026-10-24T23:59+00:00", 5)
    assert found == [
        "2026-10-25T02:00+02:00",
        "2026-10-25T02:30+02:00",
        "2026-10-25T02:00+01:00",
        "2026-10-25T02:30+01:00",
        "2026-10-25T03:00+01:00",
    ]


def test_a_day_that_a_zone_left_out_is_made_up_for_at_its_end() -> None:
    assert local("0 12 30 12 *", "Pacific/Apia", "2011-12-28T12:00+00:00", 1) == ["2011-12-31T00:00+14:00"]


def test_half_an_hour_of_change_is_one_too() -> None:
    found = local("15 2 * * *", "Australia/Lord_Howe", "2026-10-03T00:00+00:00", 2)
    assert found == ["2026-10-04T02:30+11:00", "2026-10-05T02:15+11:00"]


@settings(max_examples=150, deadline=None)
@given(
    # Not Lord Howe: where the clock moves by half an hour, cronsim leaves out the half hour after it.
    zone=st.sampled_from([zone for zone in ODD_ZONES if zone != "Australia/Lord_Howe"]),
    start=st.datetimes(datetime(2010, 1, 1), datetime(2030, 1, 1)),  # noqa: DTZ001  made aware below
    minute=st.sampled_from(["*", "0", "30", "*/7", "15,45", "5-9"]),
    hour=st.sampled_from(["*", "0", "2", "3", "*/5", "1-4", "23"]),
    day=st.sampled_from(["*", "1", "31", "*/2", "10-20"]),
    month=st.sampled_from(["*", "3", "10-12", "*/5"]),
    weekday=st.sampled_from(["*", "1-5", "0", "6"]),
)
def test_the_instants_are_those_of_debians_cron(
    zone: str, start: datetime, minute: str, hour: str, day: str, month: str, weekday: str
) -> None:
    """Cronsim implements Debian's rules exactly; both are asked for the same five instants."""
    expression = f"{minute} {hour} {day} {month} {weekday}"
    begin = start.replace(tzinfo=UTC)
    ours = list(islice(parse(expression, zone).after(begin), 5))
    theirs = islice(CronSim(expression, begin.astimezone(ZoneInfo(zone))), 5)
    assert ours == [instant.astimezone(UTC) for instant in theirs]


@settings(max_examples=60, deadline=None)
@given(
    zone=st.sampled_from(ODD_ZONES),
    start=st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1)),  # noqa: DTZ001  made aware below
    minute=st.integers(0, 59),
    hour=st.integers(0, 23),
)
def test_without_a_change_of_the_clock_every_match_is_found_minute_by_minute(
    zone: str, start: datetime, minute: int, hour: int
) -> None:
    begin = start.replace(tzinfo=UTC, second=0, microsecond=0)
    end = begin + timedelta(days=2)
    walls = [(begin + timedelta(minutes=n)).astimezone(ZoneInfo(zone)) for n in range(1, 2881)]
    if len({wall.utcoffset() for wall in walls}) > 1:
        return
    brute = [wall.astimezone(UTC) for wall in walls if (wall.hour, wall.minute) == (hour, minute)]
    assert list(parse(f"{minute} {hour} * * *", zone).between(begin, end)) == brute


@given(start=st.datetimes(datetime(2024, 1, 1), datetime(2030, 1, 1)))  # noqa: DTZ001  made aware below
def test_instants_only_ever_go_forward(start: datetime) -> None:
    begin = start.replace(tzinfo=UTC)
    found = list(islice(parse("*/10 * * * *", "Europe/Berlin").after(begin), 20))
    assert found == sorted(set(found))
    assert found[0] > begin


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("", "has 0 fields"),
        ("* * * *", "has 4 fields"),
        ("* * * * * *", "has 6 fields"),
        ("@reboot", "has 1 fields"),
        ("60 * * * *", "the field minute ('60')"),
        ("* 24 * * *", "the field hour ('24')"),
        ("* * 0 * *", "the field day of month ('0')"),
        ("* * * 13 *", "the field month ('13')"),
        ("* * * * 9", "the field day of week ('9')"),
        ("R * * * *", "the field minute ('R')"),
        ("H * * * *", "the field minute ('H')"),
        ("* * * foo *", "the field month ('foo')"),
        ("٣ * * * *", "the field minute"),
        ("1-0-2 * * * *", "the field minute"),
        ("0 0 31 2 *", "a date that never comes"),
        ("*/5 " * 60, "at most 200"),
    ],
)
def test_an_expression_that_is_none_is_refused_with_the_place(expression: str, reason: str) -> None:
    with pytest.raises(ScheduleError) as caught:
        parse(expression)
    assert caught.value.field == "cron_expression"
    assert reason in caught.value.reason


@pytest.mark.parametrize("zone", ["", "Mars/Olympus", "../etc/passwd", "Europe", "UTC\0", "x" * 300])
def test_a_zone_that_is_none_is_refused(zone: str) -> None:
    with pytest.raises(ScheduleError) as caught:
        parse("* * * * *", zone)
    assert caught.value.field == "timezone"


@pytest.mark.parametrize(
    "expression", ["0 9 * mar thu", "0 0 * * fri-mon", "0 0 l * *", "0 0 * * 5#2", "5  4\t* * *"]
)
def test_an_expression_of_the_field_is_accepted(expression: str) -> None:
    assert parse(expression).next_after(datetime.now(UTC)) is not None


def test_an_instant_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="no time zone"):
        parse("* * * * *").next_after(datetime(2026, 1, 1))  # noqa: DTZ001  the point of the test
