"""What a model may say about a fact."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rota_executor.facts import (
    MARK,
    facts_of,
    invented_numbers,
    is_faithful,
    needs_attention,
    numbers,
    report,
)

FACTS = st.one_of(
    st.builds("disk {} {}% full".format, st.sampled_from(["/", "/data", "/mnt/a1"]), st.integers(0, 100)),
    st.builds("memory {}% used".format, st.integers(0, 100)),
    st.builds("load {:.1f} on {} cores".format, st.floats(0, 99), st.integers(1, 128)),
    st.builds("service {} failed".format, st.sampled_from(["ticker", "results", "executor-2"])),
)


@given(FACTS)
def test_a_fact_may_stand_for_itself(fact: str) -> None:
    assert is_faithful(fact, fact)


@given(FACTS, st.integers(0, 10_000))
def test_a_sentence_with_a_number_more_is_refused(fact: str, number: int) -> None:
    assert not is_faithful(f"{fact} {number}", fact)


@given(FACTS, FACTS)
def test_a_sentence_stands_for_no_fact_with_other_numbers(fact: str, other: str) -> None:
    assert not is_faithful(f"The {other}.", fact) or numbers(fact) == numbers(other)


@given(st.text())
def test_no_number_of_a_source_is_invented(text: str) -> None:
    assert invented_numbers(text, ["", text]) == []


@given(st.integers(0, 999), st.lists(st.integers(1_000, 9_999)))
def test_a_number_that_no_source_has_is_invented(number: int, known: list[int]) -> None:
    assert invented_numbers(f"there are {number} of them", [f"about {one}" for one in known]) == [str(number)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("43% full", ["43"]),
        ("load 0.4 on 8 cores", ["0.4", "8"]),
        ("2026-03-02 09:15", ["2026", "03", "02", "09", "15"]),
        ("it is -5 outside", ["-5"]),
        ("executor-2 has 1,234 runs, 7 of them late.", ["2", "1,234", "7"]),
        ("none", []),
    ],
)
def test_numbers_are_read_as_they_are_written(text: str, found: list[str]) -> None:
    assert list(numbers(text).elements()) == found


@pytest.mark.parametrize(
    ("sentence", "fact"),
    [
        ("The disk / is 43% full.", "disk / 43% full"),
        ("61% of the memory is used.", "memory 61% used"),
        ("The load is 0.4 on 8 cores.", "load 0.4 on 8 cores"),
        ("The service ticker has failed.", "service ticker failed"),
    ],
)
def test_a_sentence_that_says_its_fact_stands(sentence: str, fact: str) -> None:
    assert is_faithful(sentence, fact)


@pytest.mark.parametrize(
    ("sentence", "fact"),
    [
        ("", "memory 61% used"),
        ("The memory is used.", "memory 61% used"),
        ("The memory is 16% used.", "memory 61% used"),
        ("61% of the memory is used.\nIt is 61% used.", "memory 61% used"),
        ("61% of the memory is used" + " indeed" * 30, "memory 61% used"),
        ("8 of 8 memory banks", "memory 8 of 7 banks"),
        ("The service cups has failed.", "service ticker failed"),
        ("The service ticker has not failed.", "service ticker failed"),
        ("The service ticker hasn't failed.", "service ticker failed"),
        ("The service ticker is ready.", "service ticker failed"),
    ],
)
def test_a_sentence_that_says_something_else_is_refused(sentence: str, fact: str) -> None:
    assert not is_faithful(sentence, fact)


@pytest.mark.parametrize(
    ("fact", "attention"),
    [
        ("disk / 89% full", False),
        ("disk / 90% full", True),
        ("disk /my data 100% full", True),
        ("memory 90% used", True),
        ("memory 61% used", False),
        ("load 16.0 on 8 cores", False),
        ("load 16.1 on 8 cores", True),
        ("service ticker failed", True),
        ("service failed-over is ready", False),
        ("the tool machine_disk failed: no such path", True),
        ("it is Monday", False),
    ],
)
def test_code_decides_what_needs_attention(fact: str, attention: bool) -> None:
    assert needs_attention(fact) is attention


@given(st.lists(FACTS))
def test_a_report_has_every_fact_once_and_the_urgent_first(facts: list[str]) -> None:
    lines = report(facts, facts).splitlines()
    marked = [line.startswith(MARK) for line in lines]
    assert sorted(line.removeprefix(MARK) for line in lines) == sorted(facts)
    assert marked == sorted(marked, reverse=True)
    assert sum(marked) == sum(needs_attention(fact) for fact in facts)


def test_each_line_of_an_output_is_a_fact() -> None:
    assert facts_of("service a is ready\n\n  service b failed \n") == [
        "service a is ready",
        "service b failed",
    ]
