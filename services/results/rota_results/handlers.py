"""The story of results: record what ended, then say that it can be read."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from prometheus_client import Counter as Metric

from rota_bus import Bus
from rota_chassis import logs
from rota_chassis.errors import RetryableError
from rota_contracts.codec import decode_outcomes
from rota_contracts.events import ApprovalRequested, Event, JobCompleted, ResultRecorded
from rota_results import domain
from rota_results.repository import MAX_SWEPT, Repository, Unannounced
from rota_store import is_transient

log = logs.logger(__name__)

RECORDED = Metric("rota_results_total", "Results that were stored", ["status"])
# How far back a restart looks for outcomes whose event was lost; the stream keeps as much.
MEMORY = timedelta(days=3)
# Outcomes are looked at again for this long after they ended.
OVERLAP = timedelta(minutes=2)


class Recorder:
    """Idempotent by run and attempt: every message may come any number of times."""

    def __init__(self, repository: Repository, bus: Bus) -> None:
        self._repository = repository
        self._bus = bus
        # By PostgreSQL's clock, which also says when an outcome was written.
        self._swept_until: datetime | None = None

    async def on_job_completed(self, events: Sequence[JobCompleted]) -> int:
        """Stores a batch in one transaction, then announces it; how many results are new."""
        final = domain.latest(events)
        spending = [event for event in events if event.model_usage]
        if not final and not spending:
            return 0
        batch = uuid4()
        recorded = await self._repository.record(final, batch, spending)
        for event in final:  # what went well is told by the row itself
            if event.status == "error" and event.run_id in recorded:
                _tell_error(event)
        for status, count in Counter(event.status for event in final if event.run_id in recorded).items():
            RECORDED.labels(status).inc(count)
        if recorded:
            await self._announce(
                {batch: [_unannounced(event) for event in final if event.run_id in recorded]}
            )
        return len(recorded)

    async def _announce(self, batches: Mapping[UUID, Sequence[Unannounced]]) -> int:
        """Publishes result.recorded, and approval.requested where actions wait; how many results."""
        if not batches:
            return 0
        results = [result for batch in batches.values() for result in batch]
        log.info("results are stored", action="results_recorded", results=len(results))
        try:
            await self._bus.publish([event for result in results for event in _announcements(result)])
        except RetryableError as error:  # the rows say that it is still to be done: `sweep`
            log.warning("results wait for NATS", action="announce_waits", error=str(error))
            return 0
        await self._repository.mark_announced(list(batches))
        return len(results)

    async def sweep(self) -> int:
        """Records outcomes whose event never came and announces what was not; how many.

        With what attempts spent that never came to an outcome.
        """
        announced = await self._announce(await self._repository.unannounced())
        now = await self._repository.now()
        since = min(self._swept_until or now - MEMORY, now - OVERLAP)  # also when the clock was set back
        if spent := await self._repository.spend_of_lost(now - MEMORY):
            log.info("attempts without an outcome had spent something", action="lost_spending", rows=spent)
        payloads = await self._repository.unrecorded(since)
        outcomes, problems = decode_outcomes(payloads)
        for problem in problems:
            log.error("an outcome cannot be read", action="outcome_malformed", error=problem)
        recorded = 0
        if outcomes:
            log.warning("outcomes without their event", action="sweep_recorded", runs=len(outcomes))
            recorded = await self._record_what_can_be(outcomes)
        if not recorded and len(payloads) < MAX_SWEPT:
            self._swept_until = max(since, now - OVERLAP)
        return recorded + announced

    async def _record_what_can_be(self, events: Sequence[JobCompleted]) -> int:
        """One outcome that PostgreSQL refuses does not hold up the others."""
        try:
            return await self.on_job_completed(events)
        except Exception as error:
            if is_transient(error):
                raise
            if len(events) > 1:
                return sum([await self._record_what_can_be([event]) for event in events])
            log.error(  # noqa: TRY400  the type says enough, the text may hold an answer
                "an outcome cannot be recorded",
                action="record_refused",
                run_id=str(events[0].run_id),
                error=type(error).__name__,
            )
            return 0


def _tell_error(event: JobCompleted) -> None:
    log.info(
        "the result of a failed run is stored",
        action="recorded",
        run_id=str(event.run_id),
        job_id=str(event.job_id),
        context_id=str(event.context_id),
        attempt=event.attempt,
        error_kind=event.error_kind,
    )


def _unannounced(event: JobCompleted) -> Unannounced:
    return Unannounced(
        run_id=event.run_id,
        job_id=event.job_id,
        context_id=event.context_id,
        attempt=event.attempt,
        status=event.status,
        job_name=event.job_name,
        owner_id=event.owner_id,
        actions=event.pending_actions,
    )


def _announcements(result: Unannounced) -> list[Event]:
    recorded = ResultRecorded(
        run_id=result.run_id,
        job_id=result.job_id,
        context_id=result.context_id,
        attempt=result.attempt,
        status=result.status,
    )
    if not result.actions:
        return [recorded]
    requested = ApprovalRequested(
        run_id=result.run_id,
        job_id=result.job_id,
        context_id=result.context_id,
        attempt=result.attempt,
        job_name=result.job_name,
        owner_id=result.owner_id,
        actions=result.actions,
    )
    return [recorded, requested]
