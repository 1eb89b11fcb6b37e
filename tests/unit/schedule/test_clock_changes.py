"""Every instant around every change of the clock, against the definition taken literally."""

import importlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, Literal
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rota_schedule import dst, parse
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
    assert schedule.count(after, until) == counted(expected)


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
    assert schedule.count(after, until) == counted(expected)


RULES = [{}, {"dst_gap": "skip"}, {"dst_repeat": "both"}]


@pytest.mark.parametrize("zone", ODD_ZONES)
@pytest.mark.parametrize("expression", ["30 2 * * *", "*/30 * * * *", "15,45 0-3 * * *"])
@pytest.mark.parametrize("rule", RULES)
def test_the_latest_changes_of_each_zone_are_right(zone: str, expression: str, rule: dict[str, Any]) -> None:
    for change in changes(zone)[-4:]:
        for begin, end in ((-30, 30), (-30, 0), (0, 30), (-1, 1)):
            after, until = change + timedelta(hours=begin), change + timedelta(hours=end)
            expected = Reference(expression, ZoneInfo(zone), **rule).between(after, until)
            schedule = parse(expression, zone, **rule)
            assert list(schedule.between(after, until)) == expected
            assert schedule.count(after, until) == counted(expected)


@pytest.fixture
def short_blocks(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Blocks of a good hour: each change is near the border of one."""
    dst._stretches.cache_clear()
    monkeypatch.setattr(dst, "BLOCK_BITS", 12)
    yield
    dst._stretches.cache_clear()


@pytest.mark.usefixtures("short_blocks")
@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("expression", ["30 2 * * *", "*/30 * * * *", "15,45 0-3 * * *"])
def test_changes_near_the_border_of_a_block_are_right(expression: str, rule: dict[str, Any]) -> None:
    for zone in ("Europe/Berlin", "Antarctica/Troll", "Australia/Lord_Howe", "America/New_York"):
        test_the_latest_changes_of_each_zone_are_right(zone, expression, rule)


@pytest.mark.usefixtures("short_blocks")
def test_a_moment_near_the_border_of_a_block_comes_once() -> None:
    for hour in range(24):
        schedule = parse(f"@at 2026-10-24T{hour:02}:17", "Europe/Berlin", dst_repeat="both")
        assert len(list(schedule.after(datetime(2026, 1, 1, tzinfo=UTC)))) == 1


def counted(instants: list[datetime]) -> tuple[int, datetime, datetime] | None:
    return (len(instants), instants[0], instants[-1]) if instants else None


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
