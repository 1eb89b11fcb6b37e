"""What the executor does when jobs are due: claim, look why not, announce, run."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Literal

from rota_bus import Delivery, accept_all
from rota_chassis import logs
from rota_contracts.events import Event, JobDue, JobStarted
from rota_contracts.ids import session_id_for
from rota_executor import agents, metrics
from rota_executor.agents import LoadedAgents
from rota_executor.attempt import Attempt
from rota_executor.domain import Verdict, ids, verdict
from rota_executor.errors import LeaseLostError
from rota_executor.lease import Lease
from rota_executor.leases import Leases
from rota_executor.repository import AttemptKey, Claimed, Repository, Standing
from rota_executor.runs import Runs
from rota_store import is_transient

log = logs.logger(__name__)

Publish = Callable[[Sequence[Event]], Awaitable[None]]
Did = Literal["started", "postponed", "dead"] | Verdict

ELSEWHERE_SECONDS = 5.0  # if the other's lease expires meanwhile, the message is stale by then
RETRY_SECONDS = 1.0
ANNOUNCE_SECONDS = 2.0
# What has ended by then needs no announcement: its end says when it began.
ANNOUNCE_AFTER_SECONDS = 0.1


class Handlers:
    def __init__(self, repository: Repository, leases: Leases, runs: Runs, publish: Publish) -> None:
        self._repository = repository
        self._leases = leases
        self._runs = runs
        self._publish = publish
        self._announcing: set[asyncio.Task[None]] = set()
        # Nothing new is begun: what cannot be claimed at once is left to others.
        self.stopping = asyncio.Event()

    async def on_job_due(self, batch: list[Delivery]) -> Sequence[Did]:
        """Starts what can be claimed and settles what cannot; what was done, per delivery."""
        try:
            started = await self._claim(batch)
            others = [delivery for delivery in batch if delivery not in started]
        except Exception as error:  # noqa: BLE001  the edge of a loop: decided upon below
            return await self._recover(batch, error)
        try:
            settled = dict(zip(others, await self._settle(others), strict=True))
        except Exception as error:  # noqa: BLE001  as above; what was started runs
            settled = dict(zip(others, await self._recover(others, error), strict=True))
        return [settled.get(delivery, "started") for delivery in batch]

    async def _recover(self, batch: list[Delivery], error: Exception) -> Sequence[Did]:
        """PostgreSQL is away: later. Otherwise one message is at fault, which one by one will show."""
        if is_transient(error) or isinstance(error, LeaseLostError):
            log.warning("a batch waits", action="batch_waits", events=len(batch), error=repr(error))
            for delivery in batch:
                await delivery.nak(RETRY_SECONDS)
            return ["postponed"] * len(batch)
        if len(batch) > 1:
            return [did for delivery in batch for did in await self.on_job_due([delivery])]
        delivery = batch[0]
        log.error(
            "a message cannot be handled", action="event_failed", error=repr(error), **ids(_due(delivery))
        )
        if delivery.deliveries >= delivery.max_failures:
            await delivery.dead(f"handling failed {delivery.deliveries} times: {error!r}")
            return ["dead"]
        await delivery.nak(RETRY_SECONDS)
        return ["postponed"]

    async def _claim(self, batch: list[Delivery]) -> set[Delivery]:
        """Starts the attempts that could be claimed; their deliveries."""
        asked = asyncio.get_running_loop().time()
        lease, won = await self._won({_key(delivery): _due(delivery) for delivery in batch})
        attempts: dict[AttemptKey, Attempt] = {}
        for delivery in batch:
            key = _key(delivery)
            if key in won and key not in attempts:
                attempt = Attempt(delivery, lease, started_at=won[key].started_at, claimed=asked)
                attempt.stop_reason = won[key].stop
                attempts[key] = attempt
        started = {attempt.delivery for attempt in attempts.values()}
        accept_all(started)  # a row remembers them now
        self._start(list(attempts.values()))
        return started

    async def _won(self, events: Mapping[AttemptKey, JobDue]) -> tuple[Lease, dict[AttemptKey, Claimed]]:
        """Claims until PostgreSQL answers.

        An answer that was lost may have given attempts to this executor, which nobody else may begin for as
        long as its lease goes on.
        """
        while True:
            try:
                return await self._leases.claim(list(events.values()))
            except Exception as error:
                if not is_transient(error) or self._leases.current is None or self.stopping.is_set():
                    raise
                log.warning("a claim waits", action="claim_waits", events=len(events), error=repr(error))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.stopping.wait(), RETRY_SECONDS)

    def _start(self, attempts: list[Attempt]) -> None:
        if not attempts:
            return
        with_agents = [attempt for attempt in attempts if attempt.event.job.tool is None]
        loading = (
            asyncio.create_task(
                agents.load(self._repository, [attempt.event for attempt in with_agents]), name="agents"
            )
            if with_agents
            else None
        )
        for attempt in attempts:
            if attempt.event.attempt == 1:
                metrics.LATENESS.observe(
                    max(0.0, (attempt.started_at - attempt.event.effective_at).total_seconds())
                )
            self._runs.start(attempt, loading if attempt.event.job.tool is None else None)
        if loading:
            _cancel_with(loading, {attempt.task for attempt in with_agents if attempt.task is not None})
        announcing = asyncio.create_task(self._announce(attempts), name="announce")
        self._announcing.add(announcing)
        announcing.add_done_callback(self._announcing.discard)

    async def _announce(self, attempts: list[Attempt]) -> None:
        """Says of those that go on that they began; nothing depends on it: failing to is only logged."""
        await asyncio.sleep(ANNOUNCE_AFTER_SECONDS)
        try:
            async with asyncio.timeout(ANNOUNCE_SECONDS):
                await self._publish([_started(attempt) for attempt in attempts if attempt.completed is None])
        except Exception as error:  # noqa: BLE001  whatever it is, the runs go on
            log.warning("starts were not announced", action="announce_failed", error=repr(error))

    async def _settle(self, others: list[Delivery]) -> Sequence[Did]:
        """Settles what was not won."""
        if not others:
            return []
        standings = await self._repository.standings([_due(delivery) for delivery in others])
        verdicts = [_verdict(_due(delivery), standings[_key(delivery)]) for delivery in others]
        for delivery, said in zip(others, verdicts, strict=True):
            log.info("a message was not run", action=said, **ids(_due(delivery)))
            if said == "elsewhere":
                await delivery.nak(ELSEWHERE_SECONDS)
            else:
                await delivery.ack()
        return verdicts


def _cancel_with(loading: asyncio.Task[LoadedAgents], runs: set[asyncio.Task[None]]) -> None:
    """Ends the loading when the last of the runs that wait for it is over, whatever ended that."""

    def over(run: asyncio.Task[None]) -> None:
        runs.discard(run)
        if not runs:
            loading.cancel()

    for run in list(runs):
        run.add_done_callback(over)


def _verdict(event: JobDue, standing: Standing) -> Verdict:
    return verdict(
        event.attempt,
        state=standing.attempt_state,
        is_open=standing.occurrence_open,
        current_attempt=standing.current_attempt,
    )


def _due(delivery: Delivery) -> JobDue:
    assert isinstance(delivery.event, JobDue)  # the consumer's filter lets nothing else through
    return delivery.event


def _key(delivery: Delivery) -> AttemptKey:
    event = _due(delivery)
    return AttemptKey(event.run_id, event.attempt)


def _started(attempt: Attempt) -> JobStarted:
    event = attempt.event
    return JobStarted(
        context_id=event.context_id,
        job_id=event.job_id,
        run_id=event.run_id,
        attempt=event.attempt,
        executor=attempt.lease.executor,
        session_id=session_id_for(event.run_id, event.attempt),
        started_at=attempt.started_at,
    )
