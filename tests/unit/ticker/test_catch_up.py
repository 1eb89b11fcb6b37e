"""What becomes of instants that nobody was there for, at the edges."""

from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import pytest

from rota_schedule import effective
from rota_ticker.domain.changes import replan
from rota_ticker.domain.jobs import Decision, Job, Revision, Timer
from rota_ticker.domain.planning import decide, following_plan
from tests.unit.ticker.building import HOUR, NOBODY, SECOND, a_clockwork, a_job, a_timer, at

TOLD = list[tuple[str | None, str | None, int]]


def told(decision: Decision) -> TOLD:
    return [(row.disposition, row.reason_code, row.instants) for row in decision.occurrences]


def looked(job: Job, accounted: str, now: str) -> Decision:
    following = job.clockwork.schedule().next_after(at(accounted))
    return decide(job, a_timer(job, accounted=at(accounted), following=following), at(now), NOBODY)


def test_an_instant_exactly_as_old_as_the_window_is_missed_and_a_second_later_it_runs() -> None:
    job = a_job(cron_expression="0 9 * * *", catch_up_window_seconds=3600)
    assert told(looked(job, "2026-03-02 08:00", "2026-03-02 09:59:59")) == [(None, None, 1)]
    assert told(looked(job, "2026-03-02 08:00", "2026-03-02 10:00")) == [("missed", "catch_up_window", 1)]


@pytest.mark.parametrize("exception", [{}, {"excluded_dates": (at("2030-01-01").date(),)}])
def test_what_is_noticed_within_a_minute_runs_whatever_policy_and_window_say(
    exception: dict[str, Any],
) -> None:
    for policy in ("latest", "all", "skip"):
        job = a_job(
            cron_expression="0 9 * * *", catch_up_policy=policy, catch_up_window_seconds=0, **exception
        )
        assert told(looked(job, "2026-03-02 08:00", "2026-03-02 09:00:59")) == [(None, None, 1)]
        decision = looked(job, "2026-03-02 08:00", "2026-03-02 09:01:01")
        assert told(decision) == [("missed", "catch_up_window", 1)]


def test_all_runs_the_latest_up_to_its_cap() -> None:
    job = a_job(cron_expression="* * * * *", catch_up_policy="all", catch_up_max_runs=3)
    decision = looked(job, "2026-03-02 09:00", "2026-03-02 09:10")
    assert told(decision) == [("missed", "catch_up_cap", 7), *[(None, None, 1)] * 3]
    assert [row.scheduled_for.minute for row in decision.occurrences] == [1, 8, 9, 10]


def test_the_cap_of_all_counts_across_what_is_left_out() -> None:
    job = a_job(
        cron_expression="*/10 * * * *",
        catch_up_policy="all",
        catch_up_max_runs=2,
        excluded_instants=(at("2026-03-02 09:20"), at("2026-03-02 09:40")),
    )
    decision = looked(job, "2026-03-02 09:00", "2026-03-02 10:00")
    assert told(decision) == [
        ("missed", "catch_up_cap", 1),
        ("suppressed", "excluded", 1),
        ("missed", "catch_up_cap", 1),
        ("suppressed", "excluded", 1),
        (None, None, 1),
        (None, None, 1),
    ]


def test_what_is_left_out_holds_nothing_back_until_its_jitter_is_over() -> None:
    job = a_job(cron_expression="* * * * *", jitter_seconds=5000)
    now = at("2026-03-02 12:00")
    early = next(
        one for one in job.clockwork.schedule().after(now - 2 * HOUR) if effective(job.id, one, 5000) > now
    )
    job = replace(job, clockwork=replace(job.clockwork, excluded_instants=(early,)))
    decision = looked(job, "2026-03-02 08:00", "2026-03-02 12:00")
    assert decision.plan.accounted_until > early
    assert decision.plan.wake_at is not None
    assert decision.plan.wake_at > now


@pytest.mark.parametrize(
    ("columns", "end", "instants"),
    [
        (
            {"cron_expression": "@at 2026-03-02T09:00", "excluded_instants": (at("2026-03-02 09:00"),)},
            "09:00",
            1,
        ),
        ({"cron_expression": "0 * * * *", "paused_until": at("2026-03-02 11:30")}, "11:29:59.999999", 3),
        (
            {
                "cron_expression": "0 9 * * *",
                "end_at": at("2026-03-02 12:00"),
                "excluded_dates": (date(2026, 3, 2),),
            },
            "23:59:59.999999",
            1,
        ),
    ],
)
def test_what_is_left_out_has_its_row_when_it_is_past_and_not_when_the_job_runs_again(
    columns: dict[str, Any], end: str, instants: int
) -> None:
    job = a_job(**columns)
    plan = following_plan(job, at("2026-03-02 08:30"), 0)
    assert plan.wake_at == at(f"2026-03-02 {end}")
    timer = Timer(job.id, job.generation, plan.accounted_until, plan.next_run_at)
    decision = decide(job, timer, plan.wake_at + SECOND, NOBODY)
    assert [(row.disposition, row.instants) for row in decision.occurrences] == [("suppressed", instants)]
    assert decision.plan.wake_at == decision.plan.next_run_at


def test_skip_leaves_out_what_is_late_in_one_row_and_runs_what_is_punctual() -> None:
    job = a_job(cron_expression="* * * * *", catch_up_policy="skip")
    assert told(looked(job, "2026-03-02 09:00", "2026-03-02 09:10:30")) == [
        ("missed", "catch_up_off", 9),
        (None, None, 1),
    ]


def test_a_run_that_stands_for_others_says_how_many_and_since_when_around_what_is_left_out() -> None:
    job = a_job(cron_expression="*/10 * * * *", excluded_instants=(at("2026-03-02 09:30"),))
    decision = looked(job, "2026-03-02 09:00", "2026-03-02 10:00")
    assert told(decision) == [
        ("coalesced", "catch_up_latest", 2),
        ("suppressed", "excluded", 1),
        ("coalesced", "catch_up_latest", 2),
        (None, None, 1),
    ]
    run = decision.occurrences[-1]
    assert (run.stands_for, run.first_instant) == (5, at("2026-03-02 09:10"))
    into = {row.coalesced_into for row in decision.occurrences if row.disposition == "coalesced"}
    assert into == {run.run_id}


def test_jitter_is_no_lateness() -> None:
    job = a_job(
        cron_expression="0 9 * * *",
        jitter_seconds=3600,
        catch_up_policy="skip",
        catch_up_window_seconds=0,
        excluded_dates=(at("2030-01-01").date(),),
    )
    start = effective(job.id, at("2026-03-02 09:00"), 3600)
    assert start > at("2026-03-02 09:02")
    timer = a_timer(job, accounted=at("2026-03-02 08:00"), following=at("2026-03-02 09:00"))
    early = decide(job, timer, start - timedelta(milliseconds=1), NOBODY)
    assert (early.occurrences, early.plan.wake_at) == ((), start)
    [row] = decide(job, timer, start, NOBODY).occurrences
    assert (row.disposition, row.effective_at) == (None, start)


def test_jitter_beyond_the_period_keeps_the_order_and_loses_none() -> None:
    """The API refuses it; written past that, each instant still runs once, within its jitter."""
    job = a_job(
        cron_expression="* * * * *", jitter_seconds=300, catch_up_policy="all", overlap_policy="allow"
    )
    begin, minute = at("2026-03-02 09:00"), timedelta(minutes=1)
    timer = a_timer(job, accounted=begin, following=begin + minute)
    now, instants = begin + 6 * minute, list[datetime]()
    while len(instants) < 500:
        decision = decide(job, timer, now, NOBODY)
        for row in decision.occurrences:
            assert (row.disposition, row.instants) == (None, 1)
            assert row.effective_at <= now <= row.scheduled_for + timedelta(seconds=300)
            instants.append(row.scheduled_for)
        plan = decision.plan
        timer = a_timer(job, accounted=plan.accounted_until, following=plan.next_run_at)
        assert plan.wake_at is not None
        assert plan.wake_at > now
        now = plan.wake_at
    assert instants == [begin + number * minute for number in range(1, len(instants) + 1)]


def test_what_was_to_start_after_the_pause_began_shares_its_fate() -> None:
    before = a_clockwork(cron_expression="0 9 * * *", jitter_seconds=3600)
    paused = a_job(clockwork=replace(before, is_enabled=False), generation=2)
    assert effective(paused.id, at("2026-03-02 09:00"), 3600) > at("2026-03-02 09:01")
    revision = Revision(1, before.created_at, at("2026-03-02 09:01"), before)
    timer = Timer(paused.id, 1, at("2026-03-02 08:00"), at("2026-03-02 09:00"))
    decision = replan(paused, timer, [revision], at("2026-03-02 09:01"), NOBODY)
    assert told(decision) == [("suppressed", "paused", 1)]


@pytest.mark.parametrize(("max_runs", "now_allowed"), [(2, 3), (2, 1), (2, None)])
def test_a_job_that_ran_as_often_as_it_may_can_be_changed(max_runs: int, now_allowed: int | None) -> None:
    before = a_clockwork(max_runs=max_runs)
    job = a_job(clockwork=replace(before, max_runs=now_allowed), generation=2)
    timer = Timer(job.id, 1, at("2026-03-02 02:00"), None, runs=2)
    revision = Revision(1, before.created_at, at("2026-03-02 08:30"), before)
    decision = replan(job, timer, [revision], at("2026-03-02 08:31"), NOBODY)
    assert decision.occurrences == ()
    expected = None if now_allowed == 1 else at("2026-03-02 09:00")
    assert decision.plan.next_run_at == expected


def test_a_definition_that_is_mended_is_planned_again_whatever_it_was_before() -> None:
    broken = a_clockwork(cron_expression="0 0 31 2 *")
    failed = decide(
        a_job(clockwork=broken), Timer(a_job().id, 1, at("2026-03-02 00:00")), at("2026-03-02"), NOBODY
    )
    assert failed.plan.error
    job = a_job(generation=2)
    revision = Revision(1, broken.created_at, at("2026-03-02 08:30"), broken)
    decision = replan(
        job, Timer(job.id, 1, at("2026-03-02 00:00")), [revision], at("2026-03-02 08:31"), NOBODY
    )
    assert decision.plan.error is None
    assert (decision.occurrences, decision.plan.next_run_at) == ((), at("2026-03-02 09:00"))


def test_a_pause_that_the_ticker_ordered_outlasts_changes_and_even_a_broken_definition() -> None:
    before = a_clockwork()
    job = a_job(clockwork=replace(before, cron_expression="0 0 31 2 *"), generation=2)
    timer = Timer(job.id, 1, at("2026-03-02 00:00"), None, 0, at("2026-03-02 00:30"))
    revision = Revision(1, before.created_at, at("2026-03-02 04:30"), before)
    decision = replan(job, timer, [revision], at("2026-03-02 05:00"), NOBODY)
    assert told(decision) == [("suppressed", "paused", 4)]
    assert decision.plan.paused_at == timer.paused_at


@pytest.mark.parametrize(
    ("catch_up", "expected"),
    [
        ("none", [("suppressed", "paused", 4)]),
        ("latest", [("missed", "catch_up_window", 1), ("coalesced", "catch_up_latest", 2), (None, None, 1)]),
        ("all", [("missed", "catch_up_window", 1), *[(None, None, 1)] * 3]),
    ],
)
@pytest.mark.parametrize("kind", ["by hand", "until a date", "by the ticker"])
def test_resuming_makes_up_for_what_is_asked_for(kind: str, catch_up: str, expected: TOLD) -> None:
    resumed = at("2026-03-02 04:30")
    now_clockwork = a_clockwork(catch_up_window_seconds=3 * 3600)
    job = a_job(clockwork=now_clockwork, generation=2, resume_catch_up=catch_up, resumed_at=resumed)
    asleep = {
        "by hand": replace(now_clockwork, is_enabled=False),
        "until a date": replace(now_clockwork, paused_until=at("2026-05-01")),
    }
    revisions = [Revision(1, at("2026-03-02 00:30"), resumed, asleep[kind])] if kind in asleep else []
    paused_at = at("2026-03-02 00:30") if kind == "by the ticker" else None
    timer = Timer(job.id, 1, at("2026-03-02 00:30"), None, 0, paused_at)
    decision = replan(job, timer, revisions, resumed, NOBODY)
    rows = sorted(decision.occurrences, key=lambda row: row.scheduled_for)
    assert [(row.disposition, row.reason_code, row.instants) for row in rows] == expected
    assert (decision.plan.next_run_at, decision.plan.paused_at) == (at("2026-03-02 05:00"), None)
