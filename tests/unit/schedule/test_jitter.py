"""Jitter is the same everywhere and always."""

from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rota_schedule import effective

JOB = UUID("0192f0c1-2d3e-7a4b-8c5d-6e7f80910a1b")
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.mark.parametrize(("days", "milliseconds"), [(0, 68958), (1, 232926), (2, 199378)])
def test_it_is_what_it_was_in_the_first_release(days: int, milliseconds: int) -> None:
    """A change of these moves runs that were announced."""
    instant = NOON + timedelta(days=days)
    assert effective(JOB, instant, 300) - instant == timedelta(milliseconds=milliseconds)


@given(
    st.uuids(),
    st.integers(0, 86_400),
    st.datetimes(max_value=datetime(9990, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001  hypothesis wants it
)
def test_it_is_within_its_bounds_and_in_whole_milliseconds(job: UUID, jitter: int, instant: datetime) -> None:
    delay = effective(job, instant, jitter) - instant
    assert timedelta(0) <= delay <= timedelta(seconds=jitter)
    assert delay % timedelta(milliseconds=1) == timedelta(0)
    assert effective(job, instant, jitter) == instant + delay


def test_it_depends_on_the_instant_not_on_the_zone_it_is_written_in() -> None:
    east = NOON.astimezone(timezone(timedelta(hours=5)))
    assert effective(JOB, east, 300) == effective(JOB, NOON, 300)


def test_jobs_of_one_instant_are_spread_evenly() -> None:
    minutes = [0] * 5
    for _ in range(5_000):
        minutes[int((effective(uuid4(), NOON, 300) - NOON).total_seconds()) // 60 % 5] += 1
    assert all(850 < number < 1_150 for number in minutes)


def test_without_jitter_the_instant_is_the_instant() -> None:
    assert effective(JOB, NOON, 0) == NOON


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="no time zone"):
        effective(JOB, NOON.replace(tzinfo=None), 5)
    with pytest.raises(ValueError, match="-1 s is negative"):
        effective(JOB, NOON, -1)
