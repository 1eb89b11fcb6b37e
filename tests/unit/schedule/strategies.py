"""Schedules for property tests: plain enough for the reference, odd enough to find mistakes."""

from datetime import datetime, timedelta

from hypothesis import strategies as st

from tests.unit.schedule.reference import ODD_ZONES, changes

MINUTES = ["*", "0", "30", "*/7", "*/30", "15,45", "5-9", "59", "50-59/3"]
HOURS = ["*", "0", "1", "2", "3", "*/5", "1-4", "23", "0,12", "22-23"]
NIGHT = ["*", "0-4", "1,2", "2", "*/2", "0,23"]
DATES = [*["*"] * 6, "1", "31", "*/2", "10-20", "28-31"]
MONTHS = [*["*"] * 6, "3,4", "9-12", "*/5"]
WEEKDAYS = [*["*"] * 6, "1-5", "0", "6", "*/2"]
SECONDS = ["0", "*", "*/7", "59", "10-20", "0,30"]

zones = st.sampled_from(ODD_ZONES)
gaps = st.sampled_from(["shift", "skip"])
repeats = st.sampled_from(["first", "both"])
five_fields = st.tuples(*(st.sampled_from(field) for field in (MINUTES, HOURS, DATES, MONTHS, WEEKDAYS))).map(
    " ".join
)
# Windows of some hours around a change are too small for days: these are due in most of them.
six_fields = st.tuples(
    *(st.sampled_from(field) for field in (SECONDS, MINUTES, NIGHT)), st.just("* * *")
).map(" ".join)
intervals = st.integers(1, 100_000).map(lambda seconds: f"@every {seconds}s")
moments = st.datetimes(datetime(2024, 10, 20), datetime(2024, 11, 10)).map(  # noqa: DTZ001  a wall time
    lambda wall: f"@at {wall.isoformat(timespec='seconds')}"
)
unions = st.lists(st.one_of(five_fields, six_fields, intervals, moments), min_size=1, max_size=4).map(
    "; ".join
)


def windows(zone: str, around: timedelta, longest: timedelta) -> st.SearchStrategy[tuple[datetime, datetime]]:
    """Begins and ends around a change of the clock of the zone."""
    seconds = int(around.total_seconds())
    return st.builds(
        lambda change, before, length: (
            change - timedelta(seconds=before),
            change - timedelta(seconds=before) + timedelta(seconds=length),
        ),
        st.sampled_from(changes(zone)),
        st.integers(-seconds // 4, seconds),
        st.integers(0, int(longest.total_seconds())),
    )
