"""What can be written as a schedule, and what is refused with the field, the reason and the place."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from rota_schedule import ScheduleError, check, parse

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
NAIVE = datetime(2026, 11, 22)  # noqa: DTZ001  the point of some tests


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("expression", "normal", "following"),
    [
        (" 5  4\t* * * ", "5 4 * * *", "2026-11-23T04:05"),
        ("0 9 * mar thu", "0 9 * mar thu", "2027-03-04T09:00"),
        ("@HOURLY", "@hourly", "2026-11-22T13:00"),
        ("@Daily", "@daily", "2026-11-23T00:00"),
        ("@midnight", "@midnight", "2026-11-23T00:00"),
        ("@weekly", "@weekly", "2026-11-29T00:00"),
        ("@monthly", "@monthly", "2026-12-01T00:00"),
        ("@yearly", "@yearly", "2027-01-01T00:00"),
        ("@annually", "@annually", "2027-01-01T00:00"),
        ("@every  90s", "@every 90s", "2026-11-22T12:01:30"),
        ("@Every 1H30M", "@every 1h30m", "2026-11-22T13:30"),
        ("@every 2d", "@every 2d", "2026-11-23T00:00"),
        ("@every 1w", "@every 1w", "2026-11-26T00:00"),
        ("@every 366d", "@every 366d", "2027-02-13T00:00"),
        ("@at 2027-01-31T09:00", "@at 2027-01-31T09:00", "2027-01-31T09:00"),
        ("@AT 2027-01-31 09:00:07", "@at 2027-01-31T09:00:07", "2027-01-31T09:00:07"),
        ("@at 2027-01-31t09:00z", "@at 2027-01-31T09:00Z", "2027-01-31T09:00"),
        ("@at 2027-01-31T09:00:00+02:30", "@at 2027-01-31T09:00:00+02:30", "2027-01-31T06:30"),
        ("0 0 * * *;@every 90s ; @at 2027-01-31T09:00", None, "2026-11-22T12:01:30"),
    ],
)
def test_every_kind_is_read(expression: str, normal: str | None, following: str) -> None:
    schedule = parse(expression)
    assert schedule.expression == (normal or "0 0 * * *; @every 90s; @at 2027-01-31T09:00")
    assert schedule.next_after(NOW) == utc(following)
    assert parse(schedule.expression) == schedule


def test_six_fields_have_the_second_in_front_and_five_are_fine_beside_them() -> None:
    assert parse("*/20 0 0 * * *", seconds_field=True).next_after(utc("2026-11-22T00:00")) == utc(
        "2026-11-22T00:00:20"
    )
    assert parse("0 9 * * *", seconds_field=True).next_after(NOW) == utc("2026-11-23T09:00")
    both = parse("0 9 * * *; 30 0 9 * * *", seconds_field=True)
    assert list(both.between(NOW, NOW + timedelta(days=1))) == [
        utc("2026-11-23T09:00"),
        utc("2026-11-23T09:00:30"),
    ]


FIELD = "cron_expression"
REFUSALS: list[tuple[str, dict[str, Any], str, str]] = [
    ("", {}, FIELD, "has 0 fields; five are needed: minute, hour, day of month, month, day of week"),
    ("* * * *", {}, FIELD, "has 4 fields"),
    ("* * * *", {"seconds_field": True}, FIELD, "or six, with the second in front"),
    ("* * * * * *", {}, FIELD, "has 6 fields; five are needed"),
    ("* * * * * *", {}, FIELD, "is for jobs with seconds_field"),
    ("* * * * * * *", {"seconds_field": True}, FIELD, "has 7 fields"),
    ("60 * * * *", {}, FIELD, "the field minute ('60') is not valid: its values go from 0 to 59"),
    ("* 24 * * *", {}, FIELD, "the field hour ('24') is not valid: its values go from 0 to 23"),
    ("* * 0 * *", {}, FIELD, "the field day of month ('0')"),
    ("* * 32 * *", {}, FIELD, "the field day of month ('32')"),
    ("* * L-3 * *", {}, FIELD, "the field day of month ('L-3')"),
    ("* * LW * *", {}, FIELD, "the field day of month ('LW')"),
    ("* * 1,15W * *", {}, FIELD, "the field day of month ('1,15W')"),
    ("* * * 13 *", {}, FIELD, "the field month ('13')"),
    ("* * * foo *", {}, FIELD, "the field month ('foo')"),
    ("* * * * 9", {}, FIELD, "the field day of week ('9')"),
    ("* * * * 5#6", {}, FIELD, "the field day of week ('5#6')"),
    ("* * * * 1,5#2", {}, FIELD, "with and without # or L cannot be mixed"),
    ("* * * * *,5#2", {}, FIELD, "with and without # or L cannot be mixed"),
    ("60 * * * * *", {"seconds_field": True}, FIELD, "the field second ('60')"),
    ("*/0 * * * *", {}, FIELD, "the field minute ('*/0')"),
    ("*/0 * * * *", {}, FIELD, "its values go from 0 to 59; ranges are a-b, steps /1 or more"),
    ("0 0 * * 5L", {}, FIELD, "5#2 is the second Friday, L5 the last one"),
    ("0 0 LW * *", {}, FIELD, "L is the last day, 15W the weekday nearest to the 15th"),
    ("R * * * *", {}, FIELD, "the field minute ('R') is not valid: R and H"),
    ("* R(1-4) * * *", {}, FIELD, "the field hour ('R(1-4)')"),
    ("H * * * *", {}, FIELD, "the field minute ('H')"),
    ("٣ * * * *", {}, FIELD, "the field minute ('٣')"),
    ("1-0-2 * * * *", {}, FIELD, "the field minute"),
    ("9999999999999999999999 * * * *", {}, FIELD, "the field minute"),
    ("0 0 31 2 *", {}, FIELD, "'0 0 31 2 *' names a date that never comes: day 31 in month 2"),
    ("0 0 31 4,6,9,11 *", {}, FIELD, "a date that never comes"),
    ("0 0 30 2 */2", {}, FIELD, "a date that never comes"),
    ("*/5 " * 60, {}, FIELD, "has 240 characters, at most 200"),
    ("@reboot", {}, FIELD, "there is no boot to wait for"),
    ("@hourley", {}, FIELD, "'@hourley' is not valid; what begins with @ is one of @hourly"),
    ("@daily 5", {}, FIELD, "'@daily 5' is not valid"),
    ("@every", {}, FIELD, "no duration such as"),
    ("@every 90", {}, FIELD, "@every '90': no duration such as"),
    ("@every 1.5h", {}, FIELD, "no duration such as"),
    ("@every 500ms", {}, FIELD, "no duration such as"),
    ("@every -5m", {}, FIELD, "no duration such as"),
    ("@every ٣m", {}, FIELD, "no duration such as"),
    ("@every 0s", {}, FIELD, "is shorter than a second"),
    ("@every 367d", {}, FIELD, "is longer than 366 days"),
    ("@at", {}, FIELD, "no instant such as 2027-01-31T09:00"),
    ("@at tomorrow", {}, FIELD, "@at 'tomorrow': no instant such as"),
    ("@at 2027-02-29T09:00", {}, FIELD, "no instant such as"),
    ("@at 2027-01-31", {}, FIELD, "no instant such as"),
    ("@at 2027-01-31T09:00:00.5", {}, FIELD, "no instant such as"),
    ("@at 2027-01-31T09:00+25:00", {}, FIELD, "no instant such as"),
    ("@at 9999-12-31T23:59", {}, FIELD, "no instant such as"),
    ("@at 0001-01-01T00:00", {}, FIELD, "no instant such as"),
    ("@at 2026-03-29T02:30", {"timezone": "Europe/Berlin", "dst_gap": "skip"}, FIELD, "skips this time"),
    ("0 9 * * *;", {}, FIELD, "part 2: has 0 fields"),
    ("0 9 * * *; 0 25 * * *", {}, FIELD, "part 2: the field hour ('25')"),
    ("@daily; @every 5", {}, FIELD, "part 2: @every '5': no duration"),
    ("@daily;" * 20, {}, FIELD, "has 21 parts, at most 20"),
    ("@daily", {"timezone": ""}, "timezone", "'' is not an IANA time zone such as Europe/Berlin"),
    ("@daily", {"timezone": "Mars/Olympus"}, "timezone", "'Mars/Olympus' is not an IANA time zone"),
    ("@daily", {"timezone": "../etc/passwd"}, "timezone", "is not an IANA time zone"),
    ("@daily", {"timezone": "localtime"}, "timezone", "is not an IANA time zone"),
    ("@daily", {"timezone": "right/UTC"}, "timezone", "is not an IANA time zone"),
    ("@daily", {"timezone": "Europe"}, "timezone", "is not an IANA time zone"),
    ("@daily", {"timezone": "UTC\0"}, "timezone", "is not an IANA time zone"),
    ("@daily", {"timezone": "x" * 300}, "timezone", "is not an IANA time zone"),
    ("@daily", {"start_at": NAIVE}, "start_at", "has no time zone"),
    ("@daily", {"end_at": NAIVE}, "end_at", "has no time zone"),
    ("@daily", {"start_at": datetime.min.replace(tzinfo=UTC)}, "start_at", "the very edge of the calendar"),
    ("@daily", {"end_at": datetime.max.replace(tzinfo=UTC)}, "end_at", "the very edge of the calendar"),
    ("@every 5m", {"anchor": NAIVE}, "anchor", "has no time zone"),
    ("@daily", {"start_at": NOW, "end_at": NOW - timedelta(seconds=1)}, "end_at", "is before start_at"),
]


@pytest.mark.parametrize(("expression", "keywords", "field", "reason"), REFUSALS)
def test_what_is_no_schedule_is_refused_with_the_field_the_reason_and_the_place(
    expression: str, keywords: dict[str, Any], field: str, reason: str
) -> None:
    with pytest.raises(ScheduleError) as caught:
        parse(expression, **keywords)
    assert caught.value.field == field
    assert reason in caught.value.reason
    assert str(caught.value) == f"{field}: {caught.value.reason}"


@pytest.mark.parametrize(
    ("expression", "keywords", "field", "reason"),
    [
        ("@at 2026-11-22T11:59", {}, FIELD, "@at 2026-11-22T11:59 is in the past"),
        ("@at 2026-11-22T12:00", {}, FIELD, "is in the past"),
        (
            "@at 2020-01-01T00:00; @at 2021-01-01T00:00",
            {},
            FIELD,
            "2020-01-01T00:00 and @at 2021-01-01T00:00",
        ),
        ("@daily", {"end_at": NOW}, "end_at", "is in the past"),
        ("@daily", {"end_at": NOW + timedelta(hours=1)}, "end_at", "nothing is due until then"),
        ("@at 2027-01-01T00:00", {"end_at": utc("2026-12-31T00:00")}, "end_at", "nothing is due until then"),
        ("@at 2027-01-01T00:00", {"start_at": utc("2027-01-02T00:00")}, "start_at", "nothing is due"),
    ],
)
def test_a_schedule_of_which_nothing_is_left_is_refused(
    expression: str, keywords: dict[str, Any], field: str, reason: str
) -> None:
    with pytest.raises(ScheduleError) as caught:
        check(parse(expression, **keywords), NOW)
    assert caught.value.field == field
    assert reason in caught.value.reason


def test_a_schedule_of_which_something_is_left_passes() -> None:
    check(parse("@at 2020-01-01T00:00; @daily"), NOW)
    check(parse("@at 2026-11-22T12:00:01"), NOW)
    check(parse("@daily", end_at=utc("2026-11-23T00:00")), NOW)


def test_the_bounds_belong_to_the_schedule() -> None:
    schedule = parse("0 * * * *", start_at=utc("2026-11-22T14:00"), end_at=utc("2026-11-22T16:00"))
    expected = [utc(f"2026-11-22T{hour}:00") for hour in (14, 15, 16)]
    assert list(schedule.after(utc("2020-01-01T00:00"))) == expected
    assert schedule.next_after(NOW) == expected[0]
    assert schedule.next_after(expected[2]) is None
    assert schedule.count(NOW, utc("2030-01-01T00:00")) == (3, expected[0], expected[2])


def test_bounds_between_two_seconds_are_exact() -> None:
    moment = timedelta(microseconds=1)
    schedule = parse("0 * * * *", start_at=NOW + moment, end_at=NOW + timedelta(hours=2) - moment)
    assert list(schedule.after(NOW - timedelta(days=1))) == [NOW + timedelta(hours=1)]
    assert not parse("0 * * * *").is_due(NOW + moment)
    assert parse("0 * * * *").next_after(NOW - moment) == NOW


def test_a_schedule_is_a_value_and_parsed_once() -> None:
    east = timezone(timedelta(hours=5))
    one = parse("0 9 * * *", "Europe/Berlin", start_at=NOW)
    assert parse("0 9 * * *", "Europe/Berlin", start_at=NOW) is one
    assert parse("0  9 * * *", "Europe/Berlin", start_at=NOW.astimezone(east)) == one
    assert len({one, parse("0 9 * * *", "Europe/Berlin"), parse("0 9 * * *", "Europe/Rome")}) == 3


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({}, ["2026-10-25T00:30"]),
        ({"dst_repeat": "both"}, ["2026-10-25T00:30", "2026-10-25T01:30"]),
    ],
)
def test_a_moment_that_comes_twice_follows_the_rule(rule: dict[str, Any], expected: list[str]) -> None:
    schedule = parse("@at 2026-10-25T02:30", "Europe/Berlin", **rule)
    assert list(schedule.after(utc("2026-01-01T00:00"))) == [utc(text) for text in expected]


def test_a_moment_in_the_gap_comes_at_its_end() -> None:
    assert parse("@at 2026-03-29T02:30", "Europe/Berlin").next_after(utc("2026-01-01T00:00")) == utc(
        "2026-03-29T01:00"
    )
    assert parse("@at 2011-12-30T12:00", "Pacific/Apia").next_after(utc("2011-01-01T00:00")) == utc(
        "2011-12-30T10:00"
    )
