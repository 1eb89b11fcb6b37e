"""What the ticker decides, without a clock, a database or a bus."""

from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from rota_contracts.events import Disposition, JobCompleted, JobDue, JobSnapshot, Trigger
from rota_contracts.ids import run_id_for
from rota_schedule import Schedule, ScheduleError, parse

# One decision looks at no more instants than this; what is left is decided in the next one.
MAX_INSTANTS = 2_000

State = Literal["queued", "closed"]


@dataclass(frozen=True)
class Job:
    """The definition, as far as the clock needs it."""

    id: UUID
    context_id: UUID
    owner_id: UUID | None
    name: str
    agent_name: str
    skill_prompt: str
    cron_expression: str
    timezone: str
    dst_gap: Literal["shift", "skip"]
    dst_repeat: Literal["first", "both"]
    is_enabled: bool
    timeout_seconds: int
    max_retries: int
    priority: int
    catch_up_window_seconds: int
    generation: int
    updated_at: datetime

    def schedule(self) -> Schedule:
        """Raises ScheduleError when the definition was written past the API's checks."""
        return parse(self.cron_expression, self.timezone, dst_gap=self.dst_gap, dst_repeat=self.dst_repeat)

    def snapshot(self) -> JobSnapshot:
        return JobSnapshot(
            name=self.name,
            agent_name=self.agent_name,
            skill_prompt=self.skill_prompt,
            cron_expression=self.cron_expression,
            timezone=self.timezone,
            timeout_seconds=self.timeout_seconds,
            max_retries=self.max_retries,
            generation=self.generation,
            owner_id=self.owner_id,
        )


@dataclass(frozen=True)
class Plan:
    """When a job is due next; `error` says why it never is."""

    job_id: UUID
    generation: int
    next_run_at: datetime | None
    error: str | None = None


@dataclass(frozen=True)
class Occurrence:
    """A row of the ledger, as it is first written."""

    run_id: UUID
    job_id: UUID
    context_id: UUID
    scheduled_for: datetime
    trigger: Trigger
    state: State
    disposition: Disposition | None = None
    reason: str | None = None
    instants: int = 1
    last_instant: datetime | None = None
    coalesced_into: UUID | None = None
    priority: int = 5
    requested_by: UUID | None = None
    prompt_context: str = ""


@dataclass(frozen=True)
class Timer:
    """A timer that is due: the job, and the instant it stood at."""

    job: Job
    planned_generation: int
    next_run_at: datetime


@dataclass(frozen=True)
class Request:
    """A person asked for a run of the job now."""

    run_id: UUID
    job: Job
    requested_by: UUID | None
    prompt_context: str


@dataclass(frozen=True)
class Decision:
    plan: Plan
    occurrences: list[Occurrence] = field(default_factory=list)


@dataclass(frozen=True)
class Queued:
    """An occurrence that is to be dispatched; `job` is None when it was deleted meanwhile."""

    run_id: UUID
    job_id: UUID
    context_id: UUID
    scheduled_for: datetime
    effective_at: datetime
    trigger: Trigger
    attempt: int
    failures: int
    losses: int
    prompt_context: str
    instants: int
    first_instant: datetime | None
    job: Job | None


def plan(job: Job, due_since: datetime | None = None) -> Plan:
    """When a new or changed job is due next.

    Counted from the change, so that instants during a downtime of the ticker are seen; an instant
    that was already due before the change (`due_since`) stays due.
    """
    if not job.is_enabled:
        return Plan(job.id, job.generation, None)
    try:
        schedule = job.schedule()
    except ScheduleError as error:
        return Plan(job.id, job.generation, None, str(error))
    if due_since is not None and due_since <= job.updated_at:
        return Plan(job.id, job.generation, due_since)
    return Plan(job.id, job.generation, schedule.next_after(job.updated_at))


def decide(timer: Timer, now: datetime, *, has_open_run: bool) -> Decision:
    """What becomes of the instants of a due timer up to `now`, and when it is due next.

    The latest instant inside the catch-up window runs and stands for the earlier ones there
    (coalesced); older ones are missed; while another run of the job is open, all are skipped.
    """
    job = timer.job
    if timer.planned_generation != job.generation:
        return Decision(plan(job, timer.next_run_at))
    try:
        schedule = job.schedule()
    except ScheduleError as error:
        return Decision(Plan(job.id, job.generation, None, str(error)))
    instants = schedule.after(timer.next_run_at)
    window_start = now - timedelta(seconds=job.catch_up_window_seconds)
    missed, current = _take_until(instants, timer.next_run_at, window_start)
    rows = [_range(job, missed, "missed", "older than the catch-up window")] if missed else []
    due: list[datetime] = []
    if current is not None and current > window_start:
        due, current = _take_until(instants, current, now)
    rows += _occurrences(job, due, has_open_run=has_open_run)
    return Decision(Plan(job.id, job.generation, current), rows)


def decide_all(timers: Sequence[Timer], now: datetime, open_runs: AbstractSet[UUID]) -> list[Decision]:
    """Decides on the first of the timers, until MAX_INSTANTS are accounted for; the others stay due.

    After a long downtime there may be millions: the ticker must not compute for minutes in one go.
    """
    decisions: list[Decision] = []
    instants = 0
    for timer in timers:
        decision = decide(timer, now, has_open_run=timer.job.id in open_runs)
        decisions.append(decision)
        instants += sum(row.instants for row in decision.occurrences)
        if instants >= MAX_INSTANTS:
            break
    return decisions


def _take_until(
    following: Iterator[datetime], current: datetime, limit: datetime
) -> tuple[list[datetime], datetime | None]:
    """The instants from `current` up to `limit`, at most MAX_INSTANTS, and the first one that is left."""
    taken: list[datetime] = []
    left: datetime | None = current
    while left is not None and left <= limit and len(taken) < MAX_INSTANTS:
        taken.append(left)
        left = next(following, None)
    return taken, left


def _occurrences(job: Job, due: list[datetime], *, has_open_run: bool) -> list[Occurrence]:
    if not due:
        return []
    if has_open_run:
        return [_range(job, due, "skipped", "the previous run is still open")]
    *earlier, latest = due
    run = Occurrence(
        run_id=run_id_for(job.id, latest),
        job_id=job.id,
        context_id=job.context_id,
        scheduled_for=latest,
        trigger="schedule",
        state="queued",
        priority=job.priority,
    )
    if not earlier:
        return [run]
    joined = _range(job, earlier, "coalesced", "the latest due instant runs for all of them")
    return [replace(joined, coalesced_into=run.run_id), run]


def _range(job: Job, instants: list[datetime], disposition: Disposition, reason: str) -> Occurrence:
    """One closed row for instants in a row."""
    return Occurrence(
        run_id=run_id_for(job.id, instants[0]),
        job_id=job.id,
        context_id=job.context_id,
        scheduled_for=instants[0],
        trigger="schedule",
        state="closed",
        disposition=disposition,
        reason=reason,
        instants=len(instants),
        last_instant=instants[-1],
        priority=job.priority,
    )


def admit(requests: Iterable[Request], now: datetime, open_runs: AbstractSet[UUID]) -> list[Occurrence]:
    """The ledger rows of requested runs; a job that runs already, or is paused, gets none that runs."""
    taken = set(open_runs)
    rows = []
    for request in requests:
        row = Occurrence(
            run_id=request.run_id,
            job_id=request.job.id,
            context_id=request.job.context_id,
            scheduled_for=now,
            trigger="manual",
            state="queued",
            priority=request.job.priority,
            requested_by=request.requested_by,
            prompt_context=request.prompt_context,
        )
        if not request.job.is_enabled:
            row = replace(row, state="closed", disposition="suppressed", reason="the job is paused")
        elif request.job.id in taken:
            row = replace(row, state="closed", disposition="skipped", reason="the previous run is still open")
        else:
            taken.add(request.job.id)
        rows.append(row)
    return rows


def due_event(queued: Queued) -> JobDue | None:
    """The event that dispatches an occurrence; None when its job is gone."""
    if queued.job is None:
        return None
    return JobDue(
        run_id=queued.run_id,
        job_id=queued.job_id,
        context_id=queued.context_id,
        attempt=queued.attempt,
        scheduled_for=queued.scheduled_for,
        effective_at=queued.effective_at,
        trigger=queued.trigger,
        job=queued.job.snapshot(),
        failures=queued.failures,
        losses=queued.losses,
        instants=queued.instants,
        first_instant=queued.first_instant,
        prompt_context=queued.prompt_context,
    )


def ending_reason(completed: JobCompleted) -> str:
    """Why an occurrence that ran ended as it did, in words for the ledger."""
    if completed.status == "error":
        return f"{completed.error_kind or 'internal'}: {completed.error_message or 'no reason was given'}"
    return "waits for decisions" if completed.status == "partial" else "success"
