"""When PostgreSQL's clock leapt ahead, and when it only looks so."""

from datetime import UTC, datetime, timedelta

from rota_ticker.domain import leaps
from rota_ticker.domain.leaps import Leap, Look, leap_between

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def test_time_that_passes_is_no_leap() -> None:
    before, after = Look(NOON, 100, 100.1), Look(NOON + HOUR, 3700, 3700.1)
    assert leap_between(before, after) is None


def test_a_clock_that_is_set_ahead_leaps_by_what_did_not_pass() -> None:
    before, after = Look(NOON, 100, 100), Look(NOON + HOUR, 102, 102)
    assert leap_between(before, after) == HOUR - timedelta(seconds=2)


def test_an_answer_that_was_long_on_its_way_is_no_leap() -> None:
    """A ticker that froze between question and answer learns of a moment that is long over."""
    before, after = Look(NOON, 100, 160), Look(NOON + timedelta(seconds=61), 161, 161)
    assert leap_between(before, after) is None


def test_a_clock_that_is_set_back_does_not_leap_ahead() -> None:
    assert leap_between(Look(NOON, 100, 100), Look(NOON - HOUR, 101, 101)) is None


def test_what_was_written_before_two_leaps_was_leapt_over_by_both() -> None:
    first = Leap(NOON, HOUR, "10")
    second = Leap(NOON + HOUR, timedelta(minutes=1), "20")
    assert leaps.after(leaps.after([], first), second) == [
        Leap(NOON, HOUR + timedelta(minutes=1), "10"),
        second,
    ]
