"""The arithmetic of schedules, against a second library and against brute force."""

from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from croniter import croniter
from cronsim import CronSim
from hypothesis import given, settings
from hypothesis import strategies as st

from rota_schedule import parse
from rota_schedule.fields import BOUNDS, Name, field
from tests.unit.schedule.reference import ODD_ZONES
from tests.unit.schedule.strategies import five_fields, unions, windows, zones


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


@settings(max_examples=150, deadline=None)
@given(zones, five_fields, st.data())
def test_instants_only_ever_go_forward_and_never_twice(
    zone: str, expression: str, data: st.DataObject
) -> None:
    after, until = data.draw(windows(zone, timedelta(days=2), timedelta(days=3)))
    found = list(parse(expression, zone).between(after, until))
    assert found == sorted(set(found))
    assert all(after < instant <= until and instant.tzinfo is UTC for instant in found)


@settings(max_examples=150, deadline=None)
@given(zones, unions, st.data())
def test_the_next_instant_is_the_first_of_all_that_follow(
    zone: str, expression: str, data: st.DataObject
) -> None:
    after, _ = data.draw(windows(zone, timedelta(days=2), timedelta(days=3)))
    schedule = parse(expression, zone, seconds_field=True)
    following = list(islice(schedule.after(after), 4))
    step = after
    for instant in following:
        found = schedule.next_after(step)
        assert found == instant
        step = found


@pytest.mark.parametrize(
    ("expression", "days"),
    [
        ("0 0 L * *", ["2026-01-31", "2026-02-28", "2026-03-31"]),
        ("0 0 L 2 *", ["2026-02-28", "2027-02-28", "2028-02-29"]),
        ("0 0 1,L * *", ["2026-01-31", "2026-02-01", "2026-02-28"]),
        ("0 0 30-L * *", ["2026-01-30", "2026-01-31", "2026-03-30"]),
        ("0 0 * * L5", ["2026-01-30", "2026-02-27", "2026-03-27"]),
        ("0 0 * * fri#2", ["2026-01-09", "2026-02-13", "2026-03-13"]),
        ("0 0 * * 5#5", ["2026-01-30", "2026-05-29", "2026-07-31"]),
        ("0 0 * * mon#1,fri#2", ["2026-01-05", "2026-01-09", "2026-02-02"]),
        ("0 0 15W * *", ["2026-01-15", "2026-02-16", "2026-03-16"]),
        ("0 0 W1 8 *", ["2026-08-03", "2027-08-02", "2028-08-01"]),
        ("0 0 31W 5 *", ["2026-05-29", "2027-05-31", "2028-05-31"]),
        ("0 0 30w 2 *", ["2026-02-27", "2027-02-26", "2028-02-29"]),
        ("0 0 * * fri-mon", ["2026-01-02", "2026-01-03", "2026-01-04"]),
        ("0 0 1 nov-feb *", ["2026-02-01", "2026-11-01", "2026-12-01"]),
        ("0 0 1 * 1", ["2026-01-05", "2026-01-12", "2026-01-19"]),
        ("0 0 2 * 1", ["2026-01-02", "2026-01-05", "2026-01-12"]),
        ("0 0 */2 * 1", ["2026-01-05", "2026-01-19", "2026-02-09"]),
        ("0 0 ? * 1", ["2026-01-05", "2026-01-12", "2026-01-19"]),
        ("0 0 13 * 5#2", ["2026-01-09", "2026-01-13", "2026-02-13"]),
        ("0 0 29 2 *", ["2028-02-29", "2032-02-29", "2036-02-29"]),
        ("0 0 29 2 */7", ["2032-02-29", "2060-02-29", "2088-02-29"]),
    ],
)
def test_the_days_are_those_that_the_fields_name(expression: str, days: list[str]) -> None:
    found = islice(parse(expression).after(datetime(2026, 1, 1, tzinfo=UTC)), 3)
    assert [instant.date().isoformat() for instant in found] == days


DAY_FIELDS = ["*", "1", "*/2", "10-20", "28-31", "L", "5,L", "15W", "W31", "1W"]
WEEKDAY_FIELDS = ["*", "1-5", "0", "*/3", "6-2", "7", "fri", "mon,wed", "L5", "5#2", "1#1,3#5"]


# Where L, #, or W stands in one of two restricted fields, croniter drops the other one.
DAYS = [
    (dates, weekdays)
    for dates in DAY_FIELDS
    for weekdays in WEEKDAY_FIELDS
    if "*" in dates[0] + weekdays[0] or not any(letter in dates + weekdays for letter in "W#L")
]


@pytest.mark.parametrize("months", ["*", "2", "*/5", "nov-feb"])
@pytest.mark.parametrize(("dates", "weekdays"), DAYS)
def test_the_days_are_those_of_croniter(dates: str, months: str, weekdays: str) -> None:
    expression = f"30 12 {dates} {months} {weekdays}"
    begin = datetime(2026, 1, 1)  # noqa: DTZ001  croniter's wall time
    theirs = croniter(expression, begin, implement_cron_bug=True).all_next(datetime)
    expected = [wall.replace(tzinfo=UTC) for wall in islice(theirs, 40)]
    assert list(islice(parse(expression).after(begin.replace(tzinfo=UTC)), 40)) == expected


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(sorted(BOUNDS)), st.data())
def test_the_values_of_a_field_are_read_as_written(name: Name, data: st.DataObject) -> None:
    low, high = BOUNDS[name]
    number = st.integers(low, high)
    first, last = sorted((data.draw(number), data.draw(number)))
    step = data.draw(st.integers(1, 70))
    several = data.draw(st.sets(number, min_size=1))
    assert field(name, ",".join(map(str, several))).values == tuple(sorted(several))
    assert field(name, f"*/{step}").values == tuple(range(low, high + 1, step))
    assert field(name, f"{first}/{step}").values == tuple(range(first, high + 1, step))
    if first < last:
        assert field(name, f"{first}-{last}/{step}").values == tuple(range(first, last + 1, step))
        assert set(field(name, f"{last}-{first}").values) == {*range(last, high + 1), *range(low, first + 1)}


@pytest.mark.parametrize("zone", ["UTC", "Pacific/Kiritimati", "America/New_York"])
@pytest.mark.parametrize("expression", ["* * * * *", "0 0 1 1 *", "@every 1h", "@daily; @every 1w"])
def test_nothing_goes_wrong_at_the_edges_of_the_calendar(expression: str, zone: str) -> None:
    first, last = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
    schedule = parse(expression, zone)
    assert schedule.next_after(last) is None
    assert list(schedule.after(last)) == []
    assert schedule.count(last - timedelta(hours=12), last) is None
    assert schedule.next_after(first) is not None
    assert schedule.next_after(last - timedelta(days=800)) is not None
    assert len(list(schedule.after(last - timedelta(days=3)))) < 3 * 1440


def test_an_instant_without_a_zone_is_refused() -> None:
    naive = datetime(2026, 1, 1)  # noqa: DTZ001  the point of the test
    aware = naive.replace(tzinfo=UTC)
    schedule = parse("* * * * *")
    for call in (
        lambda: schedule.next_after(naive),
        lambda: list(schedule.between(aware, naive)),
        lambda: schedule.count(naive, aware),
        lambda: schedule.is_due(naive),
    ):
        with pytest.raises(ValueError, match="no time zone"):
            call()
