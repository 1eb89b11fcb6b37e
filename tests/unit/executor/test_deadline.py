"""Until when an executor may go on, by what PostgreSQL and NATS told it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rota_executor.deadline import Proofs, Terms

TERMS = Terms(lease=20, notice=2.5)
instants = st.floats(min_value=0, max_value=100)


def proofs(renewed: float = 100, connection: int | None = 1) -> Proofs:
    return Proofs(TERMS, renewed, connection)


def test_without_a_word_from_either_it_stops_within_the_notice() -> None:
    assert proofs(100).deadline == pytest.approx(102)


def test_each_renewal_gives_it_a_notice_more() -> None:
    known = proofs(100)
    known.on_renewal(101, None)
    assert known.deadline == pytest.approx(103)


def test_while_nats_answers_it_may_go_on_until_the_lease_is_over() -> None:
    known = proofs(100)
    known.on_answer(110, 1)
    assert known.deadline == pytest.approx(112)
    known.on_answer(117.9, 1)
    assert known.deadline == pytest.approx(118)


def test_a_new_connection_proves_nothing_until_the_lease_was_renewed_on_it() -> None:
    """A ticker may have found nobody listening between the two connections, and given notice."""
    known = proofs(100)
    known.on_answer(101, 1)
    known.on_answer(105, 2)
    assert known.deadline == pytest.approx(103)
    known.on_renewal(106, 2)
    known.on_answer(110, 2)
    assert known.deadline == pytest.approx(112)


def test_a_renewal_without_a_connection_makes_answers_prove_nothing() -> None:
    known = proofs(100)
    known.on_renewal(101, None)
    known.on_answer(110, 1)
    assert known.deadline == pytest.approx(103)


def test_an_answer_that_was_overtaken_takes_nothing_back() -> None:
    known = proofs(100)
    known.on_renewal(105, 2)
    known.on_renewal(104, 1)
    known.on_answer(107, 2)
    known.on_answer(106, 2)
    assert (known.renewed, known.connection, known.heard) == (105, 2, 107)


def test_a_lease_shorter_than_the_notice_counts_alone() -> None:
    known = Proofs(Terms(lease=1, notice=2.5), 100, 1)
    known.on_answer(101, 1)
    assert known.deadline == pytest.approx(100.9)


def test_who_could_not_ask_in_time_asks_once_before_it_stops() -> None:
    known = proofs(100)
    # While nobody can have taken over, it has stopped before anybody may.
    assert known.time_to_ask(known.deadline) == pytest.approx(0.25)
    assert known.time_to_ask(102.4) == pytest.approx(0.05)
    # Who stood still for longer.
    assert known.time_to_ask(105) == 1
    assert known.time_to_ask(117.5) == pytest.approx(0.5)
    # Its lease is over.
    assert known.time_to_ask(118) == 0


@given(
    renewals=st.lists(st.tuples(instants, st.booleans()), max_size=8),
    answers=st.lists(instants, max_size=8),
    breaks=st.lists(instants, max_size=3),
)
def test_it_has_always_stopped_before_a_ticker_may_take_over(
    renewals: list[tuple[float, bool]], answers: list[float], breaks: list[float]
) -> None:
    """Whenever NATS may have found nobody, and a ticker given notice that no later renewal lifted."""
    known = Proofs(TERMS, 0, 0)
    told = sorted([*((at, "renewal", there) for at, there in renewals), *((at, "", True) for at in answers)])

    def connection_at(instant: float) -> int:
        return sum(1 for one in breaks if one <= instant)

    for at, kind, there in told:
        if kind == "renewal":
            known.on_renewal(at, connection_at(at) if there else None)
        else:
            known.on_answer(at, connection_at(at))
    last = max([0.0, *(at for at, _ in renewals)])
    assert known.deadline < last + TERMS.lease
    for absent in breaks:
        if absent > last:
            assert known.deadline < absent + TERMS.notice
