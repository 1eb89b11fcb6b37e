"""Every instant around every change of the clock, against the definition taken literally."""

import importlib
from datetime import timedelta
from itertools import pairwise
from typing import Any, Literal
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rota_schedule import parse
from tests.unit.schedule.reference import ODD_ZONES, Reference, changes
from tests.unit.schedule.strategies import five_fields, gaps, repeats, six_fields, windows, zones

DAYS = timedelta(days=2)
HOURS = timedelta(hours=3)


@settings(max_examples=400, deadline=None)
@given(zones, five_fields, gaps, repeats, st.data())
def test_every_instant_is_found_minute_by_minute(
    zone: str,
    expression: str,
    dst_gap: Literal["shift", "skip"],
    dst_repeat: Literal["first", "both"],
    data: st.DataObject,
) -> None:
    after, until = data.draw(windows(zone, DAYS, 2 * DAYS))
    expected = Reference(expression, ZoneInfo(zone), dst_gap, dst_repeat).between(after, until)
    schedule = parse(expression, zone, dst_gap=dst_gap, dst_repeat=dst_repeat)
    assert list(schedule.between(after, until)) == expected


@settings(max_examples=150, deadline=None)
@given(zones, six_fields, gaps, repeats, st.data())
def test_every_instant_is_found_second_by_second(
    zone: str,
    expression: str,
    dst_gap: Literal["shift", "skip"],
    dst_repeat: Literal["first", "both"],
    data: st.DataObject,
) -> None:
    after, until = data.draw(windows(zone, HOURS, 2 * HOURS))
    expected = Reference(expression, ZoneInfo(zone), dst_gap, dst_repeat).between(after, until)
    schedule = parse(expression, zone, dst_gap=dst_gap, dst_repeat=dst_repeat, seconds_field=True)
    assert list(schedule.between(after, until)) == expected


@pytest.mark.parametrize("zone", ODD_ZONES)
@pytest.mark.parametrize("expression", ["30 2 * * *", "*/30 * * * *", "15,45 0-3 * * *"])
@pytest.mark.parametrize("rule", [{}, {"dst_gap": "skip"}, {"dst_repeat": "both"}])
def test_the_last_and_the_next_changes_of_each_zone_are_right(
    zone: str, expression: str, rule: dict[str, Any]
) -> None:
    for change in changes(zone)[-4:]:
        after, until = change - timedelta(hours=30), change + timedelta(hours=30)
        expected = Reference(expression, ZoneInfo(zone), **rule).between(after, until)
        assert list(parse(expression, zone, **rule).between(after, until)) == expected


def test_no_zone_changes_its_clock_twice_within_days() -> None:
    """Looking at the offset once a day finds every change, then."""
    pure = importlib.import_module("zoneinfo._zoneinfo").ZoneInfo
    shortest = {}
    for name in sorted(available_timezones()):
        zone = pure.no_cache(name)
        kinds = zip(zone._trans_utc, (kind.utcoff for kind in zone._ttinfos), strict=False)
        moved = [later[0] for earlier, later in pairwise(kinds) if earlier[1] != later[1]]
        shortest[name] = min((later - earlier for earlier, later in pairwise(moved)), default=None)
    assert min(seconds for seconds in shortest.values() if seconds) > timedelta(days=3).total_seconds()
