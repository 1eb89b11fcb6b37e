"""What becomes of a due run while another one of its job is open, and of what people ask for."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from rota_ticker.domain.jobs import Standing, Timer
from rota_ticker.domain.planning import decide
from rota_ticker.domain.requests import Request, admit
from tests.unit.ticker.building import JOB, MINUTE, NOBODY, a_job, a_timer, at

QUEUED, RUNNING, BOTH = Standing(1, 0), Standing(0, 1), Standing(1, 1)
NOON = at("2026-03-02 12:00")


@pytest.mark.parametrize(
    ("policy", "standing", "is_opened", "cancels"),
    [
        ("skip", NOBODY, True, False),
        ("skip", QUEUED, False, False),
        ("skip", RUNNING, False, False),
        ("buffer_one", NOBODY, True, False),
        ("buffer_one", RUNNING, True, False),
        ("buffer_one", QUEUED, False, False),
        ("buffer_one", BOTH, False, False),
        ("allow", BOTH, True, False),
        ("cancel_other", NOBODY, True, False),
        ("cancel_other", QUEUED, True, True),
        ("cancel_other", RUNNING, True, True),
        ("queue", BOTH, True, False),
    ],
)
def test_a_policy_opens_a_run_or_skips_it_and_may_cancel_others(
    policy: str, standing: Standing, is_opened: bool, cancels: bool
) -> None:
    job = a_job(overlap_policy=policy)
    timer = a_timer(job, accounted=at("2026-03-02 11:00"), following=NOON)
    decision = decide(job, timer, NOON, standing)
    [row] = decision.occurrences
    assert (row.disposition, row.reason_code) == ((None, None) if is_opened else ("skipped", "overlap"))
    assert decision.cancels_others == cancels
    assert row.is_exclusive == (policy != "allow")
    assert decision.plan.runs == int(is_opened)


def test_what_would_have_gone_into_a_skipped_run_is_skipped_with_it() -> None:
    job = a_job(cron_expression="* * * * *")
    timer = a_timer(job, accounted=at("2026-03-02 11:50"), following=at("2026-03-02 11:51"))
    decision = decide(job, timer, NOON, RUNNING)
    assert [(row.disposition, row.instants) for row in decision.occurrences] == [
        ("skipped", 9),
        ("skipped", 1),
    ]
    assert {row.coalesced_into for row in decision.occurrences} == {None}


def test_a_catch_up_of_all_waits_in_line_where_one_at_a_time_is_allowed() -> None:
    job = a_job(cron_expression="* * * * *", catch_up_policy="all")
    timer = a_timer(job, accounted=at("2026-03-02 11:55"), following=at("2026-03-02 11:56"))
    rows = decide(job, timer, NOON, NOBODY).occurrences
    assert [row.disposition for row in rows] == [None] * 5
    assert all(row.is_exclusive for row in rows)


def a_request(job_id: UUID = JOB, **columns: Any) -> Request:
    values: dict[str, Any] = {
        "run_id": uuid4(),
        "job": a_job(job_id, queue_ttl_seconds=60),
        "trigger": "manual",
        "scheduled_for": NOON,
    }
    return Request(**(values | columns))


def test_a_run_asked_for_while_the_job_is_paused_is_suppressed_and_a_backfill_runs() -> None:
    manual = a_request(is_paused=True)
    backfill = a_request(is_paused=True, trigger="backfill", overlap_policy="queue")
    rows, _ = admit([manual, backfill], {})
    assert [(row.disposition, row.reason_code) for row in rows] == [("suppressed", "paused"), (None, None)]


def test_of_two_requests_at_once_the_second_finds_the_first_waiting() -> None:
    rows, _ = admit([a_request(), a_request(), a_request(uuid4())], {})
    assert [row.disposition for row in rows] == [None, "skipped", None]


def test_a_backfill_brings_its_own_rule_for_overlaps_and_waits_as_long_as_it_takes() -> None:
    requests = [
        a_request(trigger="backfill", overlap_policy=policy, scheduled_for=NOON + number * MINUTE)
        for number, policy in enumerate(["queue", "queue", "allow", "skip"])
    ]
    rows, cancelled = admit(requests, {JOB: RUNNING})
    assert [row.disposition for row in rows] == [None, None, None, "skipped"]
    assert [row.is_exclusive for row in rows] == [True, True, False, True]
    assert {row.queue_ttl_seconds for row in rows} == {None}
    assert [row.scheduled_for for row in rows] == [request.scheduled_for for request in requests]
    assert not cancelled


def test_a_request_keeps_who_asked_and_what_was_added_and_takes_the_place_of_others() -> None:
    person = uuid4()
    request = a_request(overlap_policy="cancel_other", requested_by=person, prompt_context="Look twice.")
    [row], cancelled = admit([request], {JOB: QUEUED})
    assert cancelled == {JOB}
    assert (row.run_id, row.trigger) == (request.run_id, "manual")
    assert (row.requested_by, row.prompt_context, row.queue_ttl_seconds) == (person, "Look twice.", 60)
    assert admit([request], {})[1] == set()


def test_nothing_runs_while_the_ticker_itself_has_paused_the_job() -> None:
    job = a_job()
    timer = Timer(job.id, 1, at("2026-03-02 11:00"), None, 0, at("2026-03-02 11:30"))
    decision = decide(job, timer, NOON + timedelta(days=1), NOBODY)
    assert decision.occurrences == ()
    assert (decision.plan.next_run_at, decision.plan.paused_at) == (None, timer.paused_at)


def test_deciding_once_more_on_a_job_that_a_person_has_paused_does_not_wake_it() -> None:
    job = a_job(is_enabled=False)
    decision = decide(job, a_timer(job, accounted=at("2026-03-02 09:00")), NOON, NOBODY)
    assert decision.occurrences == ()
    assert (decision.plan.next_run_at, decision.plan.accounted_until) == (None, at("2026-03-02 09:00"))
