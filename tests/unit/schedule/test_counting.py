"""Counting and joining give what enumerating gives."""

import time
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from rota_schedule import parse
from tests.unit.schedule.strategies import gaps, repeats, unions, windows, zones

NOW = datetime(2026, 11, 22, 12, 34, 56, tzinfo=UTC)


@settings(max_examples=200, deadline=None)
@given(zones, unions, gaps, repeats, st.integers(1, 500), st.data())
def test_a_count_is_that_of_the_enumeration(
    zone: str, expression: str, dst_gap: str, dst_repeat: str, at_most: int, data: st.DataObject
) -> None:
    after, until = data.draw(windows(zone, timedelta(hours=5), timedelta(hours=9)))
    rules = {"dst_gap": dst_gap, "dst_repeat": dst_repeat}
    schedule = parse(expression, zone, seconds_field=True, **rules)  # type: ignore[arg-type]  # drawn
    found = list(schedule.between(after, until))
    expected = (len(found), found[0], found[-1]) if found else None
    assert schedule.count(after, until) == expected
    few = found[:at_most]
    assert schedule.count(after, until, at_most) == ((len(few), few[0], few[-1]) if few else None)


@settings(max_examples=100, deadline=None)
@given(zones, unions, gaps, repeats, st.data())
def test_a_union_has_the_instants_of_its_parts_once(
    zone: str, expression: str, dst_gap: str, dst_repeat: str, data: st.DataObject
) -> None:
    after, until = data.draw(windows(zone, timedelta(hours=5), timedelta(hours=9)))
    rules = {"dst_gap": dst_gap, "dst_repeat": dst_repeat, "seconds_field": True}
    try_all = expression.split("; ")
    schedules = [parse(part, zone, **rules) for part in try_all]  # type: ignore[arg-type]  # drawn
    each = {instant for schedule in schedules for instant in schedule.between(after, until)}
    union = parse(expression, zone, **rules)  # type: ignore[arg-type]  # drawn
    assert list(union.between(after, until)) == sorted(each)


def test_a_year_of_days_is_counted() -> None:
    year = timedelta(days=365)
    span = parse("0 9 * * 1-5", "Europe/Berlin").count(NOW, NOW + year)
    assert span is not None
    assert (span.count, span.first.isoformat(), span.last.isoformat()) == (
        261,
        "2026-11-23T08:00:00+00:00",
        "2027-11-22T08:00:00+00:00",
    )


def test_a_year_of_seconds_is_counted_at_once() -> None:
    """In time of its own, whatever else the machine does: to enumerate 32 million instants takes a minute."""
    year = timedelta(days=365)
    for expression in ("* * * * * *", "*/2 * * * * *; 1-59/2 * * * * *; @every 3s; 0 9 * * 1-5"):
        schedule = parse(expression, "Europe/Berlin", seconds_field=True)
        begin = time.process_time()
        span = schedule.count(NOW, NOW + year)
        assert time.process_time() - begin < 2
        assert span == (365 * 86_400, NOW + timedelta(seconds=1), NOW + year)


def test_nothing_is_counted_as_none() -> None:
    schedule = parse("0 9 * * *")
    assert schedule.count(NOW, NOW) is None
    assert schedule.count(NOW, NOW - timedelta(days=9)) is None
    assert schedule.count(NOW, NOW + timedelta(hours=2)) is None
    assert schedule.count(NOW, NOW + timedelta(days=9), at_most=0) is None
