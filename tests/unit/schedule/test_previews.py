"""A preview says what changes of the clock do to the instants in it."""

from datetime import UTC, datetime
from typing import Any

import pytest

from rota_schedule import parse, preview

BERLIN = "Europe/Berlin"
SPRING = "2026-03-28T00:00+00:00"
AUTUMN = "2026-10-24T12:00+00:00"


@pytest.mark.parametrize(
    ("expression", "zone", "rule", "after", "expected"),
    [
        (
            "30 2 * * *",
            BERLIN,
            {},
            SPRING,
            [
                ("2026-03-28T02:30:00+01:00", ""),
                (
                    "2026-03-29T03:00:00+02:00",
                    "02:30 does not exist and runs now instead: the clock goes forward by 1 h",
                ),
                ("2026-03-30T02:30:00+02:00", ""),
            ],
        ),
        (
            "30 2 * * *",
            BERLIN,
            {"dst_gap": "skip"},
            SPRING,
            [
                ("2026-03-28T02:30:00+01:00", ""),
                (
                    "2026-03-30T02:30:00+02:00",
                    "2026-03-29 02:30 does not exist and is left out: the clock goes forward by 1 h",
                ),
                ("2026-03-31T02:30:00+02:00", ""),
            ],
        ),
        (
            "30 2 * * *",
            BERLIN,
            {},
            AUTUMN,
            [
                (
                    "2026-10-25T02:30:00+02:00",
                    "the clock goes back and shows 02:30 twice: the second is left out",
                ),
                ("2026-10-26T02:30:00+01:00", "the clock goes back by 1 h before this one"),
                ("2026-10-27T02:30:00+01:00", ""),
            ],
        ),
        (
            "30 2 * * *",
            BERLIN,
            {"dst_repeat": "both"},
            AUTUMN,
            [
                ("2026-10-25T02:30:00+02:00", "the clock goes back and shows 02:30 twice: both count"),
                ("2026-10-25T02:30:00+01:00", "the clock goes back and shows 02:30 for the second time"),
                ("2026-10-26T02:30:00+01:00", ""),
            ],
        ),
        (
            "0 * * * *",
            BERLIN,
            {},
            "2026-03-29T00:00+00:00",
            [
                ("2026-03-29T03:00:00+02:00", "the clock goes forward by 1 h before this one"),
                ("2026-03-29T04:00:00+02:00", ""),
            ],
        ),
        (
            "@every 12h",
            BERLIN,
            {},
            "2026-10-24T22:00+00:00",
            [
                (
                    "2026-10-25T02:00:00+02:00",
                    "the clock goes back and shows 02:00 twice: the second is left out",
                ),
                ("2026-10-25T13:00:00+01:00", "the clock goes back by 1 h before this one"),
            ],
        ),
        (
            "0 9 1 1 *",
            BERLIN,
            {},
            SPRING,
            [("2027-01-01T09:00:00+01:00", ""), ("2028-01-01T09:00:00+01:00", "")],
        ),
        (
            "15 2 * * *",
            "Australia/Lord_Howe",
            {},
            "2026-10-03T00:00+00:00",
            [
                (
                    "2026-10-04T02:30:00+11:00",
                    "02:15 does not exist and runs now instead: the clock goes forward by 30 min",
                )
            ],
        ),
        (
            "0 12 * * *",
            "Pacific/Apia",
            {},
            "2011-12-30T00:00+00:00",
            [
                (
                    "2011-12-31T00:00:00+14:00",
                    "2011-12-30 12:00 does not exist and runs now instead: the clock goes forward by 24 h",
                ),
                ("2011-12-31T12:00:00+14:00", ""),
            ],
        ),
        (
            "@at 2026-03-29T02:30; 0 9 * * *",
            BERLIN,
            {},
            SPRING,
            [
                ("2026-03-28T09:00:00+01:00", ""),
                (
                    "2026-03-29T03:00:00+02:00",
                    "02:30 does not exist and runs now instead: the clock goes forward by 1 h",
                ),
                ("2026-03-29T09:00:00+02:00", ""),
            ],
        ),
    ],
)
def test_each_change_of_the_clock_is_told(
    expression: str, zone: str, rule: dict[str, Any], after: str, expected: list[tuple[str, str]]
) -> None:
    upcoming = preview(parse(expression, zone, **rule), datetime.fromisoformat(after), len(expected))
    assert [(each.local.isoformat(), each.note) for each in upcoming] == expected
    assert all(each.utc == each.local.astimezone(UTC) for each in upcoming)


def test_a_preview_ends_where_the_schedule_does() -> None:
    schedule = parse("0 9 * * *", end_at=datetime.fromisoformat("2026-03-30T00:00+00:00"))
    assert len(preview(schedule, datetime.fromisoformat(SPRING), 10)) == 2
    assert preview(schedule, datetime.fromisoformat("2027-01-01T00:00+00:00"), 10) == []


def test_a_moved_instant_before_the_start_is_not_told_of_a_later_one() -> None:
    start = datetime.fromisoformat("2026-03-29T02:00+00:00")
    (first, *_) = preview(
        parse("30 2 * * *", BERLIN, start_at=start), datetime.fromisoformat("2026-03-28T12:00+00:00"), 2
    )
    assert (first.local.isoformat(), first.note) == (
        "2026-03-30T02:30:00+02:00",
        "the clock goes forward by 1 h before this one",
    )


def test_a_moment_in_a_distant_future_is_previewed_at_once() -> None:
    (only,) = preview(parse("@at 9000-01-01T00:00", BERLIN), datetime.fromisoformat(SPRING), 3)
    assert (only.local.isoformat(), only.note) == ("9000-01-01T00:00:00+01:00", "")
