"""The story of the ticker: plan what changed, fire what is due, dispatch it, close what ended."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from prometheus_client import Counter, Histogram

from rota_bus import Bus
from rota_chassis import logs
from rota_chassis.errors import RetryableError
from rota_contracts.codec import decode_outcomes
from rota_contracts.events import Event, JobClosed, JobCompleted, JobStarted
from rota_ticker import domain
from rota_ticker import repository as sql
from rota_ticker.domain import Occurrence
from rota_ticker.repository import Repository

log = logs.logger(__name__)

OCCURRENCES = Counter(
    "rota_occurrences_total", "Occurrences entered into the ledger", ["trigger", "disposition"]
)
DISPATCHED = Counter("rota_dispatched_total", "job.due events that were acknowledged")
DISPATCH_LATENESS = Histogram(
    "rota_dispatch_lateness_seconds",
    "From the due instant to the moment it was claimed",
    buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1, 5, 30, 300),
)


class Ticker:
    """Several may run at once: rows are claimed, never owned."""

    def __init__(
        self, repository: Repository, bus: Bus, *, batch_size: int = 500, redispatch_seconds: float = 60
    ) -> None:
        self._repository = repository
        self._bus = bus
        self._batch_size = batch_size
        self._redispatch = timedelta(seconds=redispatch_seconds)
        # Everything before these transactions has been read.
        self._jobs_horizon = "0"
        self._requests_horizon = "0"
        self.wake = asyncio.Event()

    async def plan(self) -> int:
        """Sets the timers of a batch of jobs that are new or changed; how many."""
        horizon = await self._repository.horizon()
        changed = await self._repository.changed_jobs(self._jobs_horizon, self._batch_size)
        if len(changed) < self._batch_size:
            self._jobs_horizon = horizon
        if not changed:
            return 0
        plans = [domain.plan(job, due_since) for job, due_since in changed]
        await self._repository.set_timers(plans)
        for plan in plans:
            if plan.error:
                log.warning(
                    "a job cannot be planned",
                    action="unplannable",
                    job_id=str(plan.job_id),
                    reason=plan.error,
                )
        return len(plans)

    async def admit_requests(self) -> int:
        """Enters requested runs into the ledger and dispatches them; how many."""
        async with self._repository.transaction() as connection:
            requests = await sql.new_requests(connection, self._requests_horizon, self._batch_size)
            if not requests:
                self._requests_horizon = self._jobs_horizon
                return 0
            busy = await sql.open_runs(connection, [request.job.id for request in requests])
            rows = domain.admit(requests, await sql.clock(connection), busy)
            entered = await sql.insert_occurrences(connection, rows)
        if len(requests) < self._batch_size:
            # No further: a request is read only once the timer of its job is there to be locked.
            self._requests_horizon = self._jobs_horizon
        await self._announce([row for row in rows if row.run_id in entered])
        return len(entered)

    async def fire(self) -> int:
        """Claims a batch of due timers, enters their occurrences, advances them; how many."""
        async with self._repository.transaction() as connection:
            timers = await sql.claim_due_timers(connection, self._batch_size)
            if not timers:
                return 0
            now = await sql.clock(connection)
            busy = await sql.open_runs(connection, [timer.job.id for timer in timers])
            decisions = domain.decide_all(timers, now, busy)
            rows = [row for decision in decisions for row in decision.occurrences]
            entered = await sql.insert_occurrences(connection, rows)
            await sql.advance_timers(connection, [decision.plan for decision in decisions])
        for timer in timers[: len(decisions)]:
            DISPATCH_LATENESS.observe((now - timer.next_run_at).total_seconds())
        await self._announce([row for row in rows if row.run_id in entered])
        return len(decisions)

    async def _announce(self, rows: Sequence[Occurrence]) -> None:
        """After the commit: dispatches what is to run, tells of what is closed."""
        for row in rows:
            OCCURRENCES.labels(row.trigger, row.disposition or "open").inc()
            log.info(
                "an occurrence is in the ledger",
                action=row.disposition or "queued",
                run_id=str(row.run_id),
                job_id=str(row.job_id),
                context_id=str(row.context_id),
                scheduled_for=row.scheduled_for.isoformat(),
                reason=row.reason,
            )
        try:
            if fresh := [row.run_id for row in rows if row.state == "queued"]:
                await self.dispatch(fresh)
            await self._bus.publish([_closed_event(row) for row in rows if row.state == "closed"])
        except RetryableError as error:  # the ledger has them: `dispatch` finds them again
            log.warning("occurrences wait for NATS", action="dispatch_waits", error=str(error))

    async def dispatch(self, fresh: Sequence[UUID] = ()) -> int:
        """Publishes job.due for what is queued, then marks it; how many."""
        queued = await self._repository.queued(fresh, self._batch_size)
        if not queued:
            return 0
        if orphans := [one for one in queued if one.job is None]:
            await self._repository.close_orphans(orphans)
        events: list[Event] = [event for one in queued if (event := domain.due_event(one)) is not None]
        await self._bus.publish(events)
        await self._repository.mark_dispatched([one for one in queued if one.job is not None])
        DISPATCHED.inc(len(events))
        return len(events)

    async def idle_seconds(self, at_most: float) -> float:
        """How long nothing is due, by PostgreSQL's clock."""
        now, following = await self._repository.next_instant()
        if following is None:
            return at_most
        return min(at_most, max((following - now).total_seconds(), 0.0))

    async def on_attempts(self, events: Sequence[JobStarted | JobCompleted]) -> None:
        """Follows attempts: marks runs as running, closes those that ended, queues retries."""
        started = [event for event in events if isinstance(event, JobStarted)]
        completed = [event for event in events if isinstance(event, JobCompleted)]
        if started:
            await self._repository.mark_running(started)
        if ended := [event for event in completed if event.final]:
            await self._repository.close_ran(ended)
        if failed := [event for event in completed if not event.final]:
            await self._repository.queue_retries(failed)
            self.wake.set()

    async def reconcile(self) -> int:
        """Compares open occurrences with their attempts and moves on what stands still; how many."""
        lost = await self._repository.queue_lost()
        for attempt in lost:
            log.warning(
                "an attempt lost its executor",
                action="attempt_lost" if attempt.state == "running" else "attempt_released",
                run_id=str(attempt.run_id),
                job_id=str(attempt.job_id),
                context_id=str(attempt.context_id),
                next_attempt=attempt.attempt,
                executor=attempt.executor,
            )
        unheard = await self._repository.queue_unheard(self._redispatch)
        outcomes = await self._repository.unheard_outcomes(timedelta(seconds=10))
        completed, problems = decode_outcomes(outcomes)
        for problem in problems:
            log.error("an outcome cannot be read", action="outcome_malformed", error=problem)
        if completed:
            await self.on_attempts(completed)
        if lost or unheard:
            self.wake.set()
        return len(lost) + len(unheard) + len(completed)


def _closed_event(row: Occurrence) -> Event:
    assert row.disposition is not None
    return JobClosed(
        run_id=row.run_id,
        job_id=row.job_id,
        context_id=row.context_id,
        scheduled_for=row.scheduled_for,
        disposition=row.disposition,
        reason=row.reason or "",
        instants=row.instants,
        last_instant=row.last_instant,
    )
