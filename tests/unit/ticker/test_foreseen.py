"""What may be decided a moment before its instant: only what nothing can turn any more."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from rota_ticker.domain.changes import replan
from rota_ticker.domain.jobs import Revision, Standing
from rota_ticker.domain.planning import decide, foreseen
from tests.unit.ticker.building import NOBODY, a_job, a_timer, at

NINE = at("2026-03-02 09:00")
BEFORE = at("2026-03-02 08:00")
MOMENT = timedelta(milliseconds=5)


@pytest.mark.parametrize(
    "columns", [{}, {"overlap_policy": "allow"}, {"excluded_dates": (at("2030-01-01").date(),)}]
)
def test_a_run_that_comes_is_decided_upon_as_it_will_be(columns: dict[str, Any]) -> None:
    job = a_job(**columns)
    timer = a_timer(job, accounted=BEFORE, following=NINE)
    decision = foreseen(job, timer, NINE, NOBODY)
    assert decision is not None
    then = decide(job, timer, NINE + MOMENT, NOBODY)
    assert (decision.occurrences, decision.plan.next_run_at) == (then.occurrences, then.plan.next_run_at)
    assert [row.scheduled_for for row in decision.occurrences] == [NINE]


@pytest.mark.parametrize("standing", [Standing(queued=1), Standing(dispatched=1)])
def test_what_is_open_may_end_until_then(standing: Standing) -> None:
    job = a_job()
    assert foreseen(job, a_timer(job, accounted=BEFORE, following=NINE), NINE, standing) is None


def test_what_is_left_out_has_no_row_before_it_is_past() -> None:
    job = a_job(excluded_instants=(NINE,))
    assert foreseen(job, a_timer(job, accounted=BEFORE, following=NINE), NINE, NOBODY) is None


def test_what_is_to_be_planned_anew_is_planned_first() -> None:
    job = a_job(generation=2)
    timer = replace(a_timer(job, accounted=BEFORE, following=NINE), planned_generation=1)
    assert foreseen(job, timer, NINE, NOBODY) is None


def test_what_stands_for_others_is_left_to_its_instant() -> None:
    job = a_job()
    timer = a_timer(job, accounted=at("2026-03-02 06:30"), following=at("2026-03-02 07:00"))
    assert foreseen(job, timer, NINE, NOBODY) is None


@pytest.mark.parametrize("columns", [{"cron_expression": "30 * * * *"}, {"is_enabled": False}])
def test_a_change_in_the_last_moment_neither_takes_back_nor_repeats(columns: dict[str, Any]) -> None:
    job = a_job()
    timer = a_timer(job, accounted=BEFORE, following=NINE)
    decision = foreseen(job, timer, NINE, NOBODY)
    assert decision is not None
    entered = replace(
        timer, accounted_until=decision.plan.accounted_until, next_run_at=decision.plan.next_run_at
    )
    changed = a_job(generation=2, **columns)
    revision = Revision(1, job.schedule_since, NINE - MOMENT, job.clockwork)
    for now in (NINE - MOMENT, NINE + MOMENT):
        after = replan(changed, entered, [revision], now, Standing(dispatched=1))
        assert after.occurrences == ()
        assert after.plan.accounted_until == NINE
        assert after.plan.next_run_at == (at("2026-03-02 09:30") if changed.clockwork.is_enabled else None)
