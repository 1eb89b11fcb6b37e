"""`@every` has a fixed phase and no drift."""

from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise

from hypothesis import given
from hypothesis import strategies as st

from rota_schedule import parse

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NOON = datetime(2026, 11, 22, 12, 0, 7, tzinfo=UTC)
instants = st.datetimes(datetime(1990, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
periods = st.integers(1, 366 * 86_400)


@given(periods, instants, instants)
def test_the_instants_are_whole_periods_from_the_anchor_for_centuries(
    period: int, anchor: datetime, after: datetime
) -> None:
    anchor = anchor.replace(microsecond=0)
    found = parse(f"@every {period}s", "America/New_York", anchor=anchor).next_after(after)
    assert found is not None
    assert (found - anchor) % timedelta(seconds=period) == timedelta(0)
    assert timedelta(0) < found - after <= timedelta(seconds=period)


def test_a_year_of_an_interval_has_no_drift_and_no_dst() -> None:
    schedule = parse("@every 7h", "Europe/Berlin", anchor=NOON)
    found = list(schedule.between(NOON, NOON + timedelta(days=3 * 365)))
    assert found == [NOON + timedelta(hours=7 * number) for number in range(1, 3755)]


def test_the_phase_is_that_of_the_anchor_else_of_the_start_else_of_the_epoch() -> None:
    start = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
    assert parse("@every 1h", start_at=start, anchor=NOON).next_after(NOON) == NOON + timedelta(hours=1)
    assert list(islice(parse("@every 1d", start_at=start).after(EPOCH), 2)) == [
        start,
        start + timedelta(days=1),
    ]
    assert parse("@every 1h").next_after(NOON) == datetime(2026, 11, 22, 13, tzinfo=UTC)


def test_an_anchor_in_the_future_counts_backwards_too() -> None:
    later = NOON + timedelta(days=400, seconds=3)
    found = islice(parse("@every 10s", anchor=later).after(NOON), 100)
    assert {(later - instant) % timedelta(seconds=10) for instant in found} == {timedelta(0)}


def test_an_interval_follows_elapsed_time_through_changes_of_the_clock() -> None:
    change = datetime(2026, 10, 25, 1, tzinfo=UTC)
    found = list(
        parse("@every 30m", "Europe/Berlin").between(change - timedelta(hours=3), change + timedelta(hours=3))
    )
    assert {later - earlier for earlier, later in pairwise(found)} == {timedelta(minutes=30)}
