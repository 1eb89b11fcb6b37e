"""What was done before an interruption is answered for, each call once."""

from rota_executor.repository.effects import Earlier
from rota_executor.settled import Settled


def test_each_call_is_answered_for_once() -> None:
    settled = Settled([("send", {"to": "ann", "n": 1}), ("send", {"to": "ann", "n": 1})])
    assert [settled.take("send", {"n": 1, "to": "ann"}) for _ in range(3)] == [True, True, False]


def test_a_call_that_is_not_just_the_same_is_in_doubt() -> None:
    settled = Settled([("send", {"to": "ann"})])
    assert not settled.take("send", {"to": "Ann"})
    assert not settled.take("fax", {"to": "ann"})
    assert settled.concerns("send")
    assert not settled.concerns("fax")


def test_arguments_that_nobody_kept_are_those_of_no_call() -> None:
    settled = Settled([("send", None)])
    assert not settled.take("send", {})
    assert settled.concerns("send")


def test_a_persons_word_goes_before_what_was_written_down() -> None:
    def took_effect(state: str, decision: str | None) -> bool:
        return Earlier("send", state, decision, {}, is_open=False).took_effect

    assert [took_effect("started", "confirmed"), took_effect("done", None)] == [True, True]
    assert [took_effect("done", "repeated"), took_effect("started", "repeated")] == [False, False]
    assert not took_effect("failed", None)
