"""The attempts that run in this process, each a task of its own."""

import asyncio
from datetime import timedelta

import structlog

from rota_bus import finish_all
from rota_chassis import logs
from rota_contracts.events import JobDue
from rota_executor import metrics
from rota_executor.adapters import failures
from rota_executor.adapters.runtime import Runtime
from rota_executor.agents import LoadedAgents
from rota_executor.attempt import Attempt
from rota_executor.authority import Authority
from rota_executor.domain import (
    NOTHING_KEPT,
    Outcome,
    completed,
    ids,
    lost_message,
    prompt_of,
    timeout_message,
)
from rota_executor.errors import (
    InternalRunError,
    InterruptedRunError,
    LostRunError,
    RunError,
    RunTimeoutError,
)
from rota_executor.interruption import settled_before
from rota_executor.leases import Leases
from rota_executor.outbox import Outbox
from rota_executor.progress import Progress
from rota_executor.repository import Repository
from rota_executor.resumption import Resumption
from rota_executor.spending import Budgets, Spending
from rota_executor.tally import Tally

log = logs.logger(__name__)

# How long outcomes that exist may take to be written when the process ends.
FLUSH_SECONDS = 5.0


class Runs:
    def __init__(
        self,
        runtime: Runtime,
        repository: Repository,
        leases: Leases,
        outbox: Outbox,
        progress: Progress,
        budgets: Budgets,
        tally: Tally,
        *,
        max_losses: int,
    ) -> None:
        self._runtime = runtime
        self._repository = repository
        self._leases = leases
        self._outbox = outbox
        self._progress = progress
        self._budgets = budgets
        self._tally = tally
        self._max_losses = max_losses

    def start(self, attempt: Attempt, agents: "asyncio.Task[LoadedAgents] | None") -> None:
        """Runs an attempt that was claimed: at once, or as soon as the agents are loaded."""
        self._leases.hold(attempt)
        attempt.task = asyncio.create_task(self._run(attempt, agents), name=f"run-{attempt.key.run_id}")
        metrics.RUNNING.inc()

    async def drain(self, grace_seconds: float) -> int:
        """Lets attempts finish within the grace period and hands over the rest; how many those were."""
        await self._finished(self._leases.held(), grace_seconds)
        unfinished = [attempt for attempt in self._leases.held() if attempt.completed is None]
        for attempt in unfinished:
            attempt.hand_over()
        # Also waits for the outcomes of others that are being written.
        await self._finished([*unfinished, *self._leases.held()], FLUSH_SECONDS)
        await self._keep_spent(unfinished)
        # A run that does not end keeps its lease: nobody else may begin while it goes on.
        await self._release([attempt for attempt in unfinished if attempt.task and attempt.task.done()])
        try:
            async with asyncio.timeout(FLUSH_SECONDS):
                await self._outbox.flush()
                await self._leases.leave()
        except TimeoutError:
            log.warning("outcomes were left behind", action="flush_failed")
        except Exception as error:  # noqa: BLE001  the process ends; its lease then does, a little later
            log.warning("the lease was not given back", action="leave_failed", error=repr(error))
        return len(unfinished)

    async def _keep_spent(self, attempts: list[Attempt]) -> None:
        """Of those that go on elsewhere: nobody says it after."""
        try:
            async with asyncio.timeout(FLUSH_SECONDS):
                await self._tally.keep_of(attempts)
        except Exception as error:  # noqa: BLE001  the process ends; what they spent lately is not known then
            log.warning("what was spent could not be kept", action="keep_spent_failed", error=repr(error))

    async def _release(self, attempts: list[Attempt]) -> None:
        try:
            for executor in {attempt.lease.executor for attempt in attempts}:
                keys = [attempt.key for attempt in attempts if attempt.lease.executor == executor]
                await self._repository.release(executor, keys)
        except Exception as error:  # noqa: BLE001  the process ends; without release the lease expires
            log.warning("runs could not be released", action="release_failed", error=repr(error))
        for attempt in attempts:
            log.warning("the run was handed over", action="released", **ids(attempt.event))

    async def _finished(self, attempts: list[Attempt], seconds: float) -> None:
        tasks = [attempt.task for attempt in attempts if attempt.task is not None]
        if tasks:
            await asyncio.wait(tasks, timeout=seconds)

    async def _run(self, attempt: Attempt, agents: "asyncio.Task[LoadedAgents] | None") -> None:
        structlog.contextvars.bind_contextvars(**ids(attempt.event))
        try:
            outcome = await self._outcome(attempt, agents)
            await self._end(attempt, outcome)
        except asyncio.CancelledError:
            if attempt.gone is None:
                raise
            metrics.ABANDONED.labels(attempt.gone).inc()
            if attempt.gone == "lease_lost":
                log.warning("the lease was lost, the run was stopped", action="lease_lost")
            finish_all([attempt.delivery])
        finally:
            self._leases.drop(attempt)
            metrics.RUNNING.dec()

    async def _end(self, attempt: Attempt, outcome: Outcome) -> None:
        duration = timedelta(seconds=asyncio.get_running_loop().time() - attempt.claimed)
        attempt.completed = completed(
            attempt.event, outcome, attempt.record, started_at=attempt.started_at, duration=duration
        )
        if not await self._outbox.write(attempt, attempt.completed):
            log.warning("the outcome could not be written and was dropped", action="outcome_dropped")
            # The row says that it runs here: a ticker takes it over when the lease is over.
            self._leases.retire(attempt.lease)
            finish_all([attempt.delivery])
            return
        metrics.ATTEMPTS.labels(outcome.status).inc()
        metrics.DURATION.observe(duration.total_seconds())
        if outcome.status == "error":  # what went well is told by the outcome itself
            log.info(
                "the attempt failed",
                action="ended",
                error_kind=outcome.error_kind,
                duration_ms=attempt.completed.execution_duration_ms,
            )

    async def _outcome(self, attempt: Attempt, agents: "asyncio.Task[LoadedAgents] | None") -> Outcome:
        try:
            return await self._work(attempt, agents)
        except RunError as error:
            return Outcome(
                "error",
                error_kind=error.kind,
                error_message=str(error),
                error_cause=error.cause,
                retry_after=error.retry_after,
            )
        except Exception as error:  # noqa: BLE001  a run always ends in an outcome
            log.error(  # noqa: TRY400  a traceback's message may hold a prompt
                "a run failed",
                action="run_failed",
                error=type(error).__name__,
                origin=failures.origin(error),
            )
            told = failures.run_error(error, attempt.event.job.agent_name, None)
            return Outcome("error", error_kind=InternalRunError.kind, error_message=str(told))

    async def _work(self, attempt: Attempt, agents: "asyncio.Task[LoadedAgents] | None") -> Outcome:
        """The answer, unless somebody wants the run ended before."""
        if attempt.event.losses >= self._max_losses:
            raise LostRunError(lost_message(attempt.event.losses))
        with attempt.stoppable():
            return await self._answer(attempt, agents)

    async def _begin(self, event: JobDue) -> str | Resumption:
        """What the agent is asked; or what it waited for, and goes on from."""
        if event.resumes is None:
            return prompt_of(event)
        resumption = await self._repository.resumption(event.run_id, event.resumes)
        if resumption is None:
            raise InterruptedRunError(NOTHING_KEPT)
        resumption.require_in_time()
        return resumption

    async def _answer(self, attempt: Attempt, agents: "asyncio.Task[LoadedAgents] | None") -> Outcome:
        event, record = attempt.event, attempt.record
        authority = Authority(attempt, self._repository, self._runtime.credentials)
        seconds = event.job.timeout_seconds
        try:
            async with asyncio.timeout(seconds) as limit:
                authority.settled = await settled_before(self._repository.effects, event)
                if agents is None:
                    assert event.job.tool is not None
                    return await self._runtime.call(event.job.tool, event.job.arguments, record, authority)
                # The task is shared by a batch: one run that is cancelled must not cancel it for the others.
                loaded = await asyncio.shield(agents)
                agent, begin = loaded.of(event), await self._begin(event)
                spending = Spending(self._budgets, attempt, loaded.budgets_of(event))
                if event.job_id in loaded.continuing:
                    record.continuity = await self._repository.continuity(event.job_id, event.run_id)
                tracing = self._runtime.tracing.of(event, attempt.delivery, record.hidden)
                with self._progress.of(attempt), tracing:
                    return await self._runtime.run(agent, begin, record, authority, spending)
        except TimeoutError:
            if limit.expired():
                raise RunTimeoutError(timeout_message(seconds)) from None
            raise
