"""A ledger in memory: what a job's whole life writes, and what must be in it by simple enumeration."""

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import islice
from typing import Any
from uuid import UUID

from rota_contracts.ids import run_id_for
from rota_schedule import effective
from rota_ticker.domain.accounting import PUNCTUAL
from rota_ticker.domain.changes import replan
from rota_ticker.domain.jobs import Clockwork, Decision, Job, Occurrence, Plan, Revision, Standing, Timer
from rota_ticker.domain.planning import decide
from tests.unit.ticker.building import CLOCKWORK_COLUMNS


@dataclass
class History:
    """One job, the clock, and what a person and the ticker do; each look is checked."""

    job: Job
    now: datetime
    timer: Timer = field(init=False)
    plan: Plan | None = None
    revisions: list[Revision] = field(default_factory=list)
    rows: list[Occurrence] = field(default_factory=list)
    # Every instant that was due, by enumeration.
    due: list[datetime] = field(default_factory=list)
    standing: Standing = field(default_factory=Standing)

    def __post_init__(self) -> None:
        self.timer = Timer(self.job.id, 0, self.job.clockwork.created_at)

    def change(self, **columns: Any) -> None:
        """A person changes the definition: what the trigger of the table does."""
        clockwork = replace(
            self.job.clockwork, **{name: columns.pop(name) for name in columns.keys() & CLOCKWORK_COLUMNS}
        )
        job = replace(self.job, generation=self.job.generation + 1, updated_at=self.now, **columns)
        if clockwork != self.job.clockwork:
            self.revisions.append(
                Revision(self.job.generation, self.job.schedule_since, self.now, self.job.clockwork)
            )
            job = replace(job, clockwork=clockwork, schedule_since=self.now)
        self.job = job

    def resume(self, catch_up: str) -> None:
        self.change(is_enabled=True, paused_until=None, resumed_at=self.now, resume_catch_up=catch_up)

    def auto_pause(self) -> None:
        """The ticker pauses a job that it has planned."""
        if self.plan and self.job.clockwork.is_enabled and self.timer.paused_at is None:
            self.timer = replace(self.timer, paused_at=self.now, next_run_at=None)
            self.plan = replace(self.plan, next_run_at=None, wake_at=None)

    def dispatch(self) -> None:
        self.standing = Standing(0, self.standing.dispatched + self.standing.queued)

    def finish(self) -> None:
        self.standing = Standing(self.standing.queued, 0)

    def look(self) -> None:
        """The ticker looks at the clock, until nothing is due any more."""
        for _ in range(3):
            if self.timer.planned_generation != self.job.generation:
                self._replan()
            elif self.plan and self.plan.wake_at is not None and self.plan.wake_at <= self.now:
                self._decide()
                assert self.plan.wake_at is None or self.plan.wake_at > self.now
            else:
                return
        raise AssertionError("it never comes to rest")

    def look_for_nothing(self) -> None:
        """A ticker that was too late decides on a timer that another one has seen to."""
        if self.timer.planned_generation == self.job.generation:
            self._decide()

    def _decide(self) -> None:
        decision = decide(self.job, self.timer, self.now, self.standing)
        is_still = bool(self.timer.paused_at) or not self.job.clockwork.is_enabled
        pieces = [] if is_still else [(self.job.clockwork, decision.plan.accounted_until)]
        self._take(decision, pieces)
        for row in decision.occurrences:
            if row.disposition is None:
                assert row.effective_at <= self.now
        assert self._is_caught_up(decision.plan) or is_still

    def _is_caught_up(self, plan: Plan) -> bool:
        """What is not accounted for by now is not to start yet, or never."""
        if plan.accounted_until >= self.now or _is_over(self.job.clockwork, plan.runs):
            return True
        schedule = self.job.clockwork.schedule()
        following = schedule.next_after(plan.accounted_until)
        if following is None or following > self.now:
            return True
        return effective(self.job.id, following, self.job.clockwork.jitter_seconds) > self.now

    def _replan(self) -> None:
        since = [one for one in self.revisions if one.generation >= self.timer.planned_generation]
        pieces = [(one.clockwork, min(one.valid_until, self.now)) for one in since]
        decision = replan(self.job, self.timer, since, self.now, self.standing)
        if self.timer.paused_at and decision.plan.paused_at is None and self.job.resumed_at:
            pieces.append((self.job.clockwork, min(self.job.resumed_at, self.now)))
        self._take(decision, pieces)

    def _take(self, decision: Decision, pieces: list[tuple[Clockwork, datetime]]) -> None:
        """Writes what was decided into the ledger, after comparing it with the enumeration."""
        plan, rows = decision.plan, decision.occurrences
        assert plan.accounted_until >= self.timer.accounted_until
        assert plan.error is None
        due = self._enumerated(pieces, rows)
        check_rows(rows, due)
        self._check_plan(plan)
        assert plan.runs == self.timer.runs + sum(row.disposition is None for row in rows)
        self.due += due
        self.rows += rows
        if decision.cancels_others:
            self.standing = Standing(0, self.standing.dispatched)
        opened = sum(row.disposition is None for row in rows)
        self.standing = Standing(self.standing.queued + opened, self.standing.dispatched)
        self.plan = plan
        self.timer = Timer(
            self.job.id, plan.generation, plan.accounted_until, plan.next_run_at, plan.runs, plan.paused_at
        )

    def _enumerated(
        self, pieces: list[tuple[Clockwork, datetime]], rows: tuple[Occurrence, ...]
    ) -> list[datetime]:
        found: list[datetime] = []
        begin, runs = self.timer.accounted_until, self.timer.runs
        for clockwork, until in pieces:
            if until <= begin:
                continue
            opened = [
                row.scheduled_for
                for row in rows
                if row.disposition is None and begin < row.scheduled_for <= until
            ]
            limit = until
            if clockwork.max_runs is not None and runs + len(opened) >= clockwork.max_runs:
                assert runs + len(opened) == clockwork.max_runs or not opened
                limit = max(opened, default=begin)
            found += clockwork.schedule().between(begin, limit)
            begin, runs = until, runs + len(opened)
        return found

    def _check_plan(self, plan: Plan) -> None:
        clockwork = self.job.clockwork
        if plan.paused_at or not clockwork.is_enabled or _is_over(clockwork, plan.runs):
            assert (plan.next_run_at, plan.wake_at) == (None, None)
            return
        instants = list(islice(clockwork.schedule().after(plan.accounted_until), 1))
        left_out = instants and why_left_out(clockwork, instants[0]) is not None
        following = islice(clockwork.schedule().after(plan.accounted_until), 50_000)
        expected = next((one for one in following if why_left_out(clockwork, one) is None), None)
        assert plan.next_run_at == expected
        if not left_out:
            assert plan.wake_at == (expected and effective(self.job.id, expected, clockwork.jitter_seconds))
        else:  # for what is left out before
            assert plan.wake_at is not None
            assert instants[0] <= plan.wake_at
            assert expected is None or plan.wake_at < expected


def _is_over(clockwork: Clockwork, runs: int) -> bool:
    return clockwork.max_runs is not None and runs >= clockwork.max_runs


def why_left_out(clockwork: Clockwork, instant: datetime) -> str | None:
    """The definition of an exclusion, taken literally."""
    if clockwork.paused_until and instant < clockwork.paused_until:
        return "paused"
    day = instant.astimezone(clockwork.schedule().zone).date()
    if (
        day in {*clockwork.excluded_dates, *clockwork.calendar_dates}
        or instant in clockwork.excluded_instants
    ):
        return "excluded"
    return None


def check_rows(rows: tuple[Occurrence, ...], due: list[datetime]) -> None:
    """The rows account for these instants, each once, and agree with each other."""
    covered: list[datetime] = []
    for row in rows:
        last = row.last_instant or row.scheduled_for
        inside = due[bisect_left(due, row.scheduled_for) : bisect_right(due, last)]
        assert len(inside) == row.instants
        assert (inside[0], inside[-1]) == (row.scheduled_for, last)
        assert row.run_id == run_id_for(row.job_id, row.scheduled_for)
        covered += inside
    assert sorted(covered) == due
    by_id = {row.run_id: row for row in rows}
    into: dict[UUID, list[Occurrence]] = {}
    for row in rows:
        assert (row.disposition == "coalesced") == (row.coalesced_into is not None)
        assert (row.reason is None) == (row.disposition is None) == (row.reason_code is None)
        if row.coalesced_into:
            into.setdefault(row.coalesced_into, []).append(row)
        elif row.disposition:
            assert (row.stands_for, row.first_instant) == (1, None)
    for run in (row for row in by_id.values() if row.disposition is None):
        joined = into.pop(run.run_id, [])
        assert run.stands_for == 1 + sum(row.instants for row in joined)
        assert run.first_instant == min((row.scheduled_for for row in joined), default=None)
    assert not into


def check_verdicts(history: History, rows: list[Occurrence], clockwork: Clockwork) -> None:
    """Each row of one definition that was judged as of now has the disposition that its policy says."""
    now, jitter = history.now, timedelta(seconds=clockwork.jitter_seconds)
    window = max(PUNCTUAL, timedelta(seconds=clockwork.catch_up_window_seconds)) + jitter
    instants = clockwork.schedule()
    for row in rows:
        for instant in instants.between(
            row.scheduled_for - timedelta(seconds=1), row.last_instant or row.scheduled_for
        ):
            reason = why_left_out(clockwork, instant)
            if reason or row.disposition == "suppressed":
                assert (row.disposition, row.reason_code) == ("suppressed", reason)
            elif instant <= now - window:
                assert (row.disposition, row.reason_code) == ("missed", "catch_up_window")
            else:
                assert row.reason_code != "catch_up_window"
