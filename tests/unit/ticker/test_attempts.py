"""What follows from the end of an attempt."""

from datetime import timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rota_contracts.events import JobCompleted
from rota_ticker.domain.attempts import ending_reason, pause_reason, retry_delay, streaks
from rota_ticker.domain.jobs import Backoff
from tests.support.completions import a_completion
from tests.unit.ticker.building import CONTEXT, JOB


@given(st.uuids(), st.integers(1, 10_000), st.integers(1, 3600), st.integers(1, 86_400))
def test_a_backoff_stays_below_its_ceiling_and_is_always_the_same(
    run_id: UUID, failures: int, first: int, longest: int
) -> None:
    delay = retry_delay(run_id, failures, backoff="exponential", first_seconds=first, longest_seconds=longest)
    assert delay == retry_delay(
        run_id, failures, backoff="exponential", first_seconds=first, longest_seconds=longest
    )
    full = min(first * 2 ** (failures - 1), longest) if failures < 40 else longest
    assert timedelta(seconds=full) * 0.75 <= delay <= timedelta(seconds=full)


def test_a_backoff_doubles_and_a_fixed_one_does_not() -> None:
    run_id = uuid4()
    delays = [
        retry_delay(run_id, failures, backoff="exponential", first_seconds=100, longest_seconds=86_400)
        for failures in range(1, 8)
    ]
    assert all(1.5 <= later / earlier <= 2.7 for earlier, later in pairwise(delays))
    fixed = [
        retry_delay(run_id, failures, backoff="fixed", first_seconds=100, longest_seconds=10)
        for failures in range(1, 8)
    ]
    assert all(timedelta(seconds=75) <= delay <= timedelta(seconds=100) for delay in fixed)
    assert len({*fixed}) == 7


@pytest.mark.parametrize("backoff", ["fixed", "exponential"])
def test_what_failed_together_does_not_come_back_together(backoff: Backoff) -> None:
    delays = [
        retry_delay(
            UUID(int=number), 1, backoff=backoff, first_seconds=100, longest_seconds=100
        ).total_seconds()
        for number in range(1000)
    ]
    assert len({round(delay, 1) for delay in delays}) > 200
    assert abs(sum(delays) / 1000 - 87.5) < 1


def ended(kinds: str, job_id: UUID = JOB) -> list[JobCompleted]:
    """s: success, p: partial, e: error, c: cancelled, d: dry."""
    columns: dict[str, dict[str, Any]] = {
        "s": {"status": "success"},
        "p": {"status": "partial"},
        "e": {"status": "error", "error_kind": "model_error", "error_message": "no"},
        "d": {"status": "error", "error_kind": "model_error", "trigger": "dry_run"},
        "c": {"status": "error", "error_kind": "cancelled", "error_message": "not wanted"},
    }
    return [a_completion(CONTEXT, job_id, **columns[kind]) for kind in kinds]


@given(st.lists(st.text("spec", max_size=12), max_size=4))
def test_failures_in_a_row_are_counted_the_same_one_by_one_and_in_batches(batches: list[str]) -> None:
    def counted(groups: list[str]) -> int:
        count = 0
        for group in groups:
            if streak := streaks(ended(group)).get(JOB):
                count = streak.failures + (0 if streak.is_broken else count)
        return count

    whole = "".join(batches)
    assert counted(batches) == counted([whole]) == counted(list(whole))
    after_the_last_success = whole.replace("p", "s").rpartition("s")[2]
    assert counted(batches) == after_the_last_success.count("e")


def test_what_was_cancelled_is_no_failure_and_the_last_failure_is_the_one_to_tell() -> None:
    events = [*ended("sec"), *ended("e", uuid4())]
    found = streaks(events)
    assert (found[JOB].failures, found[JOB].is_broken, found[JOB].last) == (1, True, events[1])
    assert JOB not in streaks(ended("cc"))


def test_a_dry_run_is_neither_failure_nor_success() -> None:
    assert JOB not in streaks(ended("dd"))
    assert streaks(ended("ede"))[JOB].failures == 2


def test_an_end_is_told_for_machines_and_for_people() -> None:
    success, partial, error = ended("spe")
    assert ending_reason(success) == ("success", "success")
    assert ending_reason(partial) == ("partial", "waits for decisions")
    assert ending_reason(error) == ("model_error", "model_error: no")
    nothing = a_completion(CONTEXT, JOB, status="error")
    assert ending_reason(nothing) == ("internal", "internal: no reason was given")
    assert (
        pause_reason(3, "model_error: no")
        == "paused after 3 failures in a row; the last one: model_error: no"
    )
