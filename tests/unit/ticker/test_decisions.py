"""What becomes of due instants: pure decisions."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from hypothesis import given
from hypothesis import strategies as st

from rota_contracts.ids import run_id_for
from rota_ticker.domain import MAX_INSTANTS, Job, Request, Timer, admit, decide, decide_all, plan

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def a_job(**columns: Any) -> Job:
    values: dict[str, Any] = {
        "id": uuid4(),
        "context_id": uuid4(),
        "owner_id": None,
        "name": "Job",
        "agent_name": "orchestrator",
        "skill_prompt": "Look.",
        "cron_expression": "* * * * *",
        "timezone": "UTC",
        "dst_gap": "shift",
        "dst_repeat": "first",
        "is_enabled": True,
        "timeout_seconds": 300,
        "max_retries": 0,
        "priority": 5,
        "catch_up_window_seconds": 3600,
        "generation": 1,
        "updated_at": NOON - timedelta(days=30),
    }
    return Job(**(values | columns))


def test_a_punctual_instant_runs_and_the_next_one_is_planned() -> None:
    job = a_job()
    decision = decide(Timer(job, 1, NOON), NOON + timedelta(milliseconds=3), has_open_run=False)
    [row] = decision.occurrences
    assert (row.run_id, row.state, row.scheduled_for) == (run_id_for(job.id, NOON), "queued", NOON)
    assert decision.plan.next_run_at == NOON + timedelta(minutes=1)


def test_a_stale_plan_fires_nothing() -> None:
    job = a_job(generation=2, is_enabled=False)
    decision = decide(Timer(job, 1, NOON), NOON, has_open_run=False)
    assert decision.occurrences == []
    assert decision.plan.next_run_at is None
    assert decision.plan.generation == 2


def test_while_a_run_is_open_every_due_instant_is_skipped_in_one_row() -> None:
    decision = decide(Timer(a_job(), 1, NOON), NOON + timedelta(minutes=3), has_open_run=True)
    [row] = decision.occurrences
    assert (row.disposition, row.instants, row.last_instant) == ("skipped", 4, NOON + timedelta(minutes=3))


def test_a_window_of_zero_seconds_runs_only_what_is_due_right_now() -> None:
    job = a_job(catch_up_window_seconds=0)
    decision = decide(Timer(job, 1, NOON), NOON + timedelta(minutes=2, seconds=1), has_open_run=False)
    assert [row.disposition for row in decision.occurrences] == ["missed"]


@given(
    behind=st.timedeltas(timedelta(0), timedelta(days=9)),
    window=st.integers(0, 86_400),
    minutes=st.sampled_from([1, 5, 60]),
    is_open=st.booleans(),
)
def test_every_due_instant_is_accounted_for_exactly_once(
    behind: timedelta, window: int, minutes: int, is_open: bool
) -> None:
    """Whatever the delay: repeated decisions cover every instant from the timer to now, none twice."""
    cron = {1: "* * * * *", 5: "*/5 * * * *", 60: "0 * * * *"}[minutes]
    job = a_job(cron_expression=cron, catch_up_window_seconds=window)
    now, at = NOON + behind, NOON
    covered: list[datetime] = []
    runs = 0
    while at <= now:
        decision = decide(Timer(job, 1, at), now, has_open_run=is_open)
        for row in decision.occurrences:
            last = row.last_instant or row.scheduled_for
            step = timedelta(minutes=minutes)
            instants = [row.scheduled_for + step * n for n in range(row.instants)]
            assert instants[-1] == last
            assert row.instants <= MAX_INSTANTS
            covered += instants
            runs += row.state == "queued"
        assert decision.plan.next_run_at is not None
        assert decision.plan.next_run_at > at
        at = decision.plan.next_run_at
    assert covered == sorted(set(covered))
    assert covered[0] == NOON
    assert len(covered) == int(behind / timedelta(minutes=minutes)) + 1
    assert runs <= 1
    assert not (is_open and runs)


def test_a_long_downtime_of_many_jobs_is_decided_in_pieces() -> None:
    timers = [Timer(a_job(), 1, NOON - timedelta(days=1)) for _ in range(50)]
    decisions = decide_all(timers, NOON, set())
    assert len(decisions) == 2
    assert sum(row.instants for row in decisions[0].occurrences) <= MAX_INSTANTS
    punctual = [Timer(a_job(), 1, NOON) for _ in range(500)]
    assert len(decide_all(punctual, NOON, set())) == 500


def test_a_new_job_is_counted_from_its_definition_and_not_from_now() -> None:
    job = a_job(updated_at=NOON - timedelta(minutes=10, seconds=30))
    assert plan(job).next_run_at == NOON - timedelta(minutes=10)


def test_an_instant_that_was_due_before_a_change_stays_due() -> None:
    job = a_job(generation=2, updated_at=NOON)
    due = NOON - timedelta(minutes=4)
    assert plan(job, due_since=due).next_run_at == due
    assert plan(job, due_since=NOON + timedelta(hours=1)).next_run_at == NOON + timedelta(minutes=1)


def test_an_impossible_schedule_has_no_next_run_and_says_why() -> None:
    decision = plan(a_job(cron_expression="0 0 31 2 *"))
    assert decision.next_run_at is None
    assert decision.error is not None
    assert "never comes" in decision.error


def test_a_paused_job_has_no_next_run_even_when_one_was_due() -> None:
    assert plan(a_job(is_enabled=False), due_since=NOON).next_run_at is None


def test_of_requests_for_one_job_the_first_runs_and_a_paused_job_never() -> None:
    job, paused = a_job(), a_job(is_enabled=False)
    requests = [Request(uuid4(), one, None, "") for one in (job, job, paused)]
    rows = admit(requests, NOON, open_runs=set())
    assert [row.disposition for row in rows] == [None, "skipped", "suppressed"]
    [busy] = admit(requests[:1], NOON, open_runs={job.id})
    assert busy.disposition == "skipped"
