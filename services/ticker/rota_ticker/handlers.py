"""The story of the ticker: plan, fire, admit, dispatch, follow what was dispatched until it has ended."""

import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from uuid import UUID

from rota_bus import Bus
from rota_chassis import logs
from rota_chassis.errors import RetryableError
from rota_contracts.codec import decode_outcomes
from rota_contracts.events import JobCompleted, JobPaused
from rota_store import Connection, Database
from rota_ticker import metrics
from rota_ticker.domain.accounting import CANCELLED
from rota_ticker.domain.attempts import budget_reason, ending_reason, pause_reason, retry_delay, streaks
from rota_ticker.domain.changes import replan
from rota_ticker.domain.jobs import Decision, Standing
from rota_ticker.domain.leaps import Leap, Look, after, leap_between
from rota_ticker.domain.planning import decide
from rota_ticker.domain.requests import admit
from rota_ticker.lookahead import NOBODY, LookingAhead
from rota_ticker.news import News
from rota_ticker.repository import (
    admission,
    endings,
    executors,
    jobs,
    ledger,
    requests,
    timers,
    unpublished,
)
from rota_ticker.repository.glance import Glance, look

log = logs.logger(__name__)

# What a ticker has committed it says at once; after this, somebody else does.
UNPUBLISHED_AFTER = timedelta(seconds=5)


class Ticker(LookingAhead):
    """Several may run at once: rows are claimed, never owned."""

    def __init__(
        self,
        database: Database,
        bus: Bus,
        *,
        batch_size: int = 500,
        redispatch_seconds: float = 60,
        ledger_retention: timedelta = timedelta(days=90),
    ) -> None:
        super().__init__(database, bus, batch_size=batch_size)
        self._redispatch = timedelta(seconds=redispatch_seconds)
        self._retention = ledger_retention
        # Everything before these transactions has been read.
        self._horizon = "0"
        self._jobs_horizon = "0"
        self._requests_horizon = "0"
        self._cancellations_horizon = "0"
        self._resumptions_horizon = "0"
        self._looked: Look | None = None
        self._leaps: list[Leap] = []

    async def look(self) -> Glance:
        """What there may be to do; what is read next need not be looked for before its horizon again."""
        glance = await look(
            self._database,
            jobs=self._jobs_horizon,
            requests=self._requests_horizon,
            cancellations=self._cancellations_horizon,
            resumptions=self._resumptions_horizon,
        )
        self._horizon = glance.horizon
        if not glance.has_changes:
            self._jobs_horizon = glance.horizon
        if not glance.has_requests:
            self._requests_horizon = glance.horizon
        return glance

    async def plan(self) -> int:
        """Sets the timers of a batch of jobs that are new or changed; how many."""
        async with self._deciding() as (connection, news):
            changed, last = await jobs.changed(connection, self._jobs_horizon, self._batch_size)
            if changed:
                found = await timers.lock(connection, [job.id for job in changed])
                now = await timers.clock(connection)
                due = [timers.Due(job, found[job.id], now) for job in changed if job.id in found]
                stale = [one for one in due if one.timer.planned_generation < one.job.generation]
                await self._decide(connection, stale, news)
        # What is before both the last one and the horizon is planned: not to be looked through again.
        self._jobs_horizon = str(min(int(last), int(self._horizon))) if changed else self._horizon
        return len(changed)

    async def fire(self) -> int:
        """Claims a batch of due timers, enters what became due, advances them; how many."""
        async with self._deciding() as (connection, news):
            due = await timers.due(connection, self._batch_size)
            if due:
                await self._decide(connection, due, news)
        for one in due:
            if one.timer.next_run_at is not None and one.timer.next_run_at <= one.now:
                metrics.LATENESS.observe((one.now - one.timer.next_run_at).total_seconds())
        return len(due)

    async def _decide(self, connection: Connection, due: Sequence[timers.Due], news: News) -> None:
        """Decides on timers that are locked, and writes what follows.

        What another ticker has planned already for a newer definition than was read here is left alone.
        """
        due = [one for one in due if one.timer.planned_generation <= one.job.generation]
        news.jobs |= {one.job.id: one.job for one in due}
        standings = await ledger.standings(connection, [one.job.id for one in due])
        stale = [one for one in due if one.timer.planned_generation != one.job.generation]
        past = (
            await jobs.revisions(connection, [(one.job.id, one.timer.planned_generation) for one in stale])
            if stale
            else {}
        )
        decisions: list[Decision] = []
        for job, timer, now in due:
            standing = standings.get(job.id, NOBODY)
            if timer.planned_generation != job.generation:
                decisions.append(replan(job, timer, past.get(job.id, []), now, standing))
            else:
                decisions.append(decide(job, timer, now, standing))
        await self._write(connection, decisions, standings, news)

    async def _write(
        self,
        connection: Connection,
        decisions: Sequence[Decision],
        standings: Mapping[UUID, Standing],
        news: News,
    ) -> None:
        if replaced := {decision.plan.job_id for decision in decisions if decision.cancels_others}:
            await self._replace(connection, replaced, news)
        rows = [row for decision in decisions for row in decision.occurrences]
        plans = [decision.plan for decision in decisions]
        if rows:
            await self._enter(connection, rows, standings, news, plans)
        else:
            await timers.set_all(connection, plans)
        for decision in decisions:
            if decision.plan.error:
                log.warning(
                    "a job cannot be planned",
                    action="unplannable",
                    job_id=str(decision.plan.job_id),
                    reason=decision.plan.error,
                )

    async def admit_waiting(self) -> int:
        """Closes what has waited too long, dispatches what waits and fits in by now; how many."""
        async with self._deciding() as (connection, news):
            if contexts := await admission.waiting_contexts(connection):
                await admission.lock_admission(connection)
                news.closed += await ledger.expire(connection)
                await self._admit(connection, contexts, news)
        return len(news.closed) + len(news.runs)

    async def take_requests(self) -> int:
        """Enters requested runs into the ledger; how many."""
        async with self._deciding() as (connection, news):
            new, is_all = await requests.new(
                connection, self._requests_horizon, self._batch_size, self._retention
            )
            if new:
                news.jobs |= {request.job.id: request.job for request in new}
                standings = await ledger.standings(connection, news.jobs)
                rows, replaced = admit(new, standings)
                if replaced:
                    await self._replace(connection, replaced, news)
                if rows:
                    await self._enter(connection, rows, standings, news)
        if is_all:
            # No further: a request is read only once the timer of its job is there to be locked.
            self._requests_horizon = self._jobs_horizon
        return len(news.entered)

    async def take_cancellations(self) -> int:
        """Takes what people want ended to the ledger; how many."""
        async with self._deciding() as (connection, news):
            asked = await requests.cancellations(connection, self._cancellations_horizon, self._batch_size)
            if asked:
                await admission.lock_admission(connection)
                reasons = {(one.run_id, one.scheduled_for): one.reason for one in asked}
                await self._stop(connection, reasons, CANCELLED, news)
        done = len(news.closed) + len(news.cancelled) + len(news.runs)
        if done < len(asked):  # somebody was moving the others on just now
            self.wake.set()
        if not asked:
            # No further: what is to be cancelled must be in the ledger.
            self._cancellations_horizon = self._requests_horizon
        return done

    async def take_resumptions(self) -> int:
        """Opens parked runs again that were decided upon; how many."""
        async with self._deciding() as (connection, news):
            asked = await requests.resumptions(connection, self._resumptions_horizon, self._batch_size)
            reopened = await self._reopen(connection, asked, news)
        if not asked:
            # No further: what goes on must be in the ledger.
            self._resumptions_horizon = self._requests_horizon
        return reopened

    async def _reopen(self, connection: Connection, parked: Sequence[requests.Resumption], news: News) -> int:
        if not parked:
            return 0
        await admission.lock_admission(connection)
        reopened = await endings.reopen(connection, parked)
        await self._admit(connection, set(reopened), news)
        log.info("parked runs go on", action="resumed", runs=len(reopened))
        return len(reopened)

    async def resume_expired(self) -> int:
        """Opens parked runs again that nobody decided upon in time; how many."""
        async with self._deciding() as (connection, news):
            return await self._reopen(connection, await requests.expired(connection, self._batch_size), news)

    async def on_completed(self, events: Sequence[JobCompleted]) -> None:
        """Closes runs that ended, queues retries, pauses what fails too often, admits the next ones."""
        ended = [event for event in events if event.final]
        failed = [event for event in events if not event.final]
        async with self._deciding() as (connection, news):
            failing = await timers.lock_failing(
                connection,
                {event.job_id for event in ended},
                {event.job_id for event in ended if event.status == "error"},
            )
            closed = await endings.close_ran(connection, ended) if ended else {}
            if failed:
                # First: what another ticker has just queued again for the same failure is locked with them.
                await admission.lock_admission(connection)
                await self._queue_retries(connection, failed)
            counted = [event for event in ended if event.run_id in closed and event.job_id in failing]
            await self._count_failures(connection, counted, news)
            now_closed = [event for event in ended if event.run_id in closed]
            await self._pause_for_budgets(connection, now_closed, news)
            await self._admit(connection, set(closed.values()), news)
        metrics.CLOSED.inc(len(closed))
        if failed:
            self.wake.set()

    async def _queue_retries(self, connection: Connection, events: Sequence[JobCompleted]) -> None:
        asked = {event.run_id: timedelta(seconds=event.retry_after_seconds or 0) for event in events}
        delays = {
            (one.run_id, one.scheduled_for): max(
                asked[one.run_id],
                retry_delay(
                    one.run_id,
                    one.failures,
                    backoff=one.backoff,
                    first_seconds=one.first_seconds,
                    longest_seconds=one.longest_seconds,
                ),
            )
            for one in await endings.failed(connection, events)
        }
        await endings.queue_retries(connection, delays)

    async def _count_failures(
        self, connection: Connection, ended: Sequence[JobCompleted], news: News
    ) -> None:
        """Failures in a row; the order within a batch is that of the stream."""
        if not (found := streaks(ended)):
            return
        for job in await timers.count_failures(connection, found):
            last = found[job.job_id].last
            reason = pause_reason(job.failures, ending_reason(last)[1])
            await timers.pause(connection, job.job_id, reason)
            news.paused.append(
                JobPaused(
                    context_id=job.context_id,
                    job_id=job.job_id,
                    run_id=last.run_id,
                    job_name=job.name,
                    reason=reason,
                    failures=job.failures,
                )
            )

    async def _pause_for_budgets(
        self, connection: Connection, ended: Sequence[JobCompleted], news: News
    ) -> None:
        """Of a budget that is used up, and whose policy it is: the jobs that would only reach it again."""
        spent = {event.exhausted_budget: event for event in ended if event.exhausted_budget}
        for budget_id, event in spent.items():
            reason = budget_reason(event)
            for job in await timers.pause_concerned(connection, budget_id, reason):
                news.paused.append(
                    JobPaused(
                        context_id=job.context_id,
                        job_id=job.job_id,
                        run_id=event.run_id,
                        job_name=job.name,
                        reason=reason,
                    )
                )

    async def reconcile(self) -> int:
        """Compares open occurrences with their attempts and moves on what stands still; how many."""
        async with self._deciding() as (connection, news):
            look = await self._look_at_the_clock(connection)
            holders = await executors.end_leases(connection, look.now, self._leaps)
            lost = await ledger.queue_lost(connection) if holders else []
            unheard = await admission.say_again(connection, self._redispatch)
            await self._with_jobs(connection, unheard, news)
        if holders:
            self.attempts_out.set()
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
        outcomes, problems = decode_outcomes(
            await endings.unheard_outcomes(self._database, timedelta(seconds=10))
        )
        for problem in problems:
            log.error("an outcome cannot be read", action="outcome_malformed", error=problem)
        if outcomes:
            await self.on_completed(outcomes)
        if lost:
            self.wake.set()
        return len(lost) + len(unheard) + len(outcomes) + await self._say_unpublished()

    async def _say_unpublished(self) -> int:
        """Says what another life of a ticker could not; how much."""
        try:
            async with self._database.transaction() as connection:
                events, problems = await unpublished.take(connection, UNPUBLISHED_AFTER)
                await self._bus.publish(events)
        except RetryableError as error:
            log.warning("closings wait for NATS", action="closings_wait", error=str(error))
            return 0
        for problem in problems:
            log.error("an event cannot be read", action="event_malformed", error=problem)
        return len(events)

    async def _look_at_the_clock(self, connection: Connection) -> Look:
        """Notices a leap since the last look: leases that it leapt over are not over for who holds them."""
        asked = time.monotonic()
        look = Look(await timers.clock(connection), asked, time.monotonic())
        # It may also have been set back while no ticker was there.
        is_back = self._looked is None or look.now < self._looked.now
        if is_back and (late := await admission.follow_the_clock_back(connection, self._redispatch)):
            log.warning("PostgreSQL's clock was set back", action="clock_set_back", waiting=late)
        if self._looked and (by := leap_between(self._looked, look)):
            log.warning("PostgreSQL's clock leapt", action="clock_leapt", seconds=by.total_seconds())
            self._leaps = after(self._leaps, Leap(look.now, by, await executors.horizon(connection)))
        self._looked = look
        return look

    async def keep_months(self) -> int:
        """Makes the ledger's coming months, drops those past the retention; how many were dropped."""
        dropped = await ledger.keep_months(self._database, self._retention)
        if dropped:
            log.info("months of the ledger were dropped", action="months_dropped", months=dropped)
        return dropped
