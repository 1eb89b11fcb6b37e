"""Which instants the ledger and a schedule do not agree about."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from rota_gateway.domain.gaps import Entry, Gap, gaps
from rota_schedule import parse

HOURLY = parse("0 * * * *")
DAY = datetime(2026, 10, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


def at(hour: int) -> datetime:
    return DAY + hour * HOUR


def entry(first: int, last: int | None = None, instants: int | None = None) -> Entry:
    end = first if last is None else last
    return Entry(at(first), at(end), end - first + 1 if instants is None else instants)


def found(*entries: Entry) -> list[Gap]:
    """Of the ten hours from 1 to 10."""
    return list(gaps(HOURLY, entries, at(0), at(10)))


def test_a_ledger_that_says_it_all_has_no_gap() -> None:
    assert found(entry(1, 4), entry(5), entry(6, 10)) == []


def test_what_is_missing_is_named_at_the_begin_between_rows_and_at_the_end() -> None:
    assert found(entry(2, 4), entry(7), entry(8)) == [
        Gap(at(1), at(1), 1),
        Gap(at(5), at(6), 2),
        Gap(at(9), at(10), 2),
    ]


def test_a_row_of_an_instant_that_was_not_due_is_a_surplus() -> None:
    odd = at(3) + timedelta(minutes=20)
    assert found(entry(1, 3), Entry(odd, odd, 1), entry(4, 10)) == [Gap(odd, odd, 1, is_surplus=True)]


def test_a_range_that_says_another_number_than_were_due_is_named_whole() -> None:
    assert found(entry(1, 10, instants=12)) == [Gap(at(1), at(10), 2, is_surplus=True)]
    assert found(entry(1, 10, instants=7)) == [Gap(at(1), at(10), 3)]


def test_an_instant_in_two_rows_is_a_surplus() -> None:
    assert found(entry(1, 6), entry(4), entry(7, 10)) == [Gap(at(4), at(4), 1, is_surplus=True)]


@given(st.sets(st.integers(1, 200)))
def test_every_missing_instant_is_in_exactly_one_gap(missing: set[int]) -> None:
    kept = [entry(hour) for hour in range(1, 201) if hour not in missing]
    named = list(gaps(HOURLY, kept, at(0), at(200)))
    instants = [instant for gap in named for instant in HOURLY.between(gap.first - HOUR / 60, gap.last)]
    assert instants == [at(hour) for hour in sorted(missing)]
    assert sum(gap.instants for gap in named) == len(missing)
