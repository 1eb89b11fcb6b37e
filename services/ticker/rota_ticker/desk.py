"""What follows from every decision of the ticker: rows are entered, room is given, all of it is told."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

from rota_bus import Bus
from rota_chassis import logs
from rota_chassis.errors import RetryableError
from rota_store import Connection, Database
from rota_ticker import metrics
from rota_ticker.domain.accounting import Verdict
from rota_ticker.domain.admission import admissible
from rota_ticker.domain.attempts import Dispatched
from rota_ticker.domain.jobs import Occurrence, Plan, Standing
from rota_ticker.domain.overlap import REPLACED
from rota_ticker.domain.placing import first_attempt, placed
from rota_ticker.news import News
from rota_ticker.repository import admission, jobs, ledger, unpublished

log = logs.logger(__name__)

# Whoever dispatched an occurrence says so at once; unless somebody has begun it by then, it is said again.
DISPATCH_GRACE = timedelta(seconds=5)


class Desk:
    """`wake` is set when there may be more to do."""

    def __init__(self, database: Database, bus: Bus, *, batch_size: int) -> None:
        self._database = database
        self._bus = bus
        self._batch_size = batch_size
        self.wake = asyncio.Event()
        # Set while executors may hold attempts.
        self.attempts_out = asyncio.Event()

    @contextlib.asynccontextmanager
    async def _deciding(self) -> AsyncIterator[tuple[Connection, News]]:
        """A transaction, and what it does; told after the commit, and kept until it is told."""
        news = News()
        async with self._database.transaction() as connection:
            yield connection, news
            if lasting := news.lasting():
                news.kept_as = await unpublished.keep(connection, lasting)
        await self._tell(news)

    async def _enter(
        self,
        connection: Connection,
        rows: Sequence[Occurrence],
        standings: Mapping[UUID, Standing],
        news: News,
        plans: Sequence[Plan] = (),
    ) -> None:
        """Enters rows, and dispatches what has room; where somebody waits already, in turn."""
        contexts = {row.context_id for row in rows if not row.disposition}
        going: set[UUID] = set()
        if contexts:
            rooms, now = await admission.rooms(connection, contexts)
            going = placed(rows, rooms, standings, now)
        entered = await ledger.enter(connection, rows, going, DISPATCH_GRACE, plans)
        new = [row for row in rows if row.run_id in entered]
        news.entered += new
        news.runs += [first_attempt(row) for row in new if row.run_id in going]
        waiting = {row.context_id for row in new if not row.disposition and row.run_id not in going}
        await self._admit(connection, waiting, news)

    async def _replace(self, connection: Connection, job_ids: Iterable[UUID], news: News) -> None:
        """Overlap `cancel_other`: what waits is skipped, what runs is asked to stop."""
        await admission.lock_admission(connection)
        reasons = dict.fromkeys(await ledger.open_of(connection, job_ids), REPLACED.reason)
        await self._stop(connection, reasons, REPLACED, news)

    async def _stop(
        self, connection: Connection, reasons: Mapping[ledger.Key, str], verdict: Verdict, news: News
    ) -> None:
        """Closes what waits, asks what runs to stop; what ran before and waits to run again ends as a run.

        That is dispatched at once, whatever room there is: an executor writes its end without beginning it.
        """
        news.closed += await ledger.close(
            connection, reasons, verdict.disposition, verdict.reason_code, state="queued"
        )
        ending = await admission.end_retries(connection, reasons, DISPATCH_GRACE)
        await self._with_jobs(connection, ending, news)
        news.cancelled += await ledger.cancel(connection, reasons)

    async def _admit(self, connection: Connection, contexts: Iterable[UUID], news: News) -> None:
        """Dispatches what fits into the room of these contexts."""
        concerned = list(contexts)
        if not concerned or not (concerned := await admission.waiting(connection, concerned)):
            return
        waiting = await admission.candidates(connection, concerned, self._batch_size)
        chosen = admissible(waiting, self._batch_size)
        if not chosen:
            return
        # What a limit holds back took the place of others: those are found when it is looked again.
        news.is_cut = news.is_cut or len(chosen) == self._batch_size or len(chosen) < len(waiting)
        runs = await admission.dispatch(
            connection, [(one.run_id, one.scheduled_for) for one in chosen], DISPATCH_GRACE
        )
        await self._with_jobs(connection, runs, news)

    async def _with_jobs(self, connection: Connection, runs: Sequence[Dispatched], news: News) -> None:
        """Looks up the definitions that the events carry; without its job a run has no purpose."""
        if unknown := {run.job_id for run in runs} - news.jobs.keys():
            news.jobs |= await jobs.by_id(connection, list(unknown))
        news.runs += [run for run in runs if run.job_id in news.jobs]
        if gone := [run for run in runs if run.job_id not in news.jobs]:
            await self._without_jobs(connection, gone, news)

    async def _without_jobs(self, connection: Connection, runs: Sequence[Dispatched], news: News) -> None:
        """Closes what never ran; what did ends as a run: an executor finds it cancelled, and writes that."""
        begun = [run for run in runs if run.attempt > 1]
        if begun:
            news.remembered |= await jobs.remembered(connection, [run.run_id for run in begun])
            # The prompt that is remembered says already what was added to the job's.
            news.runs += [replace(run, prompt_context="", stands_for=1, first_instant=None) for run in begun]
            news.cancelled += await ledger.cancel(connection, _deleted(begun))
        if len(begun) < len(runs):
            fresh = _deleted(run for run in runs if run.attempt == 1)
            news.closed += await ledger.close(
                connection, fresh, "suppressed", "job_deleted", state="dispatched"
            )

    async def _tell(self, news: News) -> None:
        """After the commit: says what is to run and what is closed, and hints at what is to stop."""
        if news.is_cut:
            self.wake.set()
        if news.runs:
            self.attempts_out.set()
        try:
            await self._bus.publish([*news.dispatches(), *news.lasting()])
            for hint in news.hints():
                await self._bus.hint(hint)
            if news.kept_as:
                await unpublished.drop(self._database, news.kept_as)
            metrics.DISPATCHED.inc(len(news.runs))
        except RetryableError as error:  # there are rows of them: `reconcile` says them again
            log.warning("occurrences wait for NATS", action="dispatch_waits", error=str(error))
            await admission.check_soon(self._database, [(run.run_id, run.scheduled_for) for run in news.runs])
        _log(news)


def _deleted(runs: Iterable[Dispatched]) -> dict[ledger.Key, str]:
    return {(run.run_id, run.scheduled_for): "the job was deleted" for run in runs}


def _log(news: News) -> None:
    """What runs as planned is told in one line; what does not, each in its own."""
    if news.runs:
        log.info("runs are dispatched", action="dispatched", runs=len(news.runs))
    for disposition, count in Counter((row.trigger, row.disposition) for row in news.entered).items():
        metrics.OCCURRENCES.labels(disposition[0], disposition[1] or "open").inc(count)
    for event in news.closings():
        log.info(
            "an occurrence does not run",
            action=event.disposition,
            run_id=str(event.run_id),
            job_id=str(event.job_id),
            context_id=str(event.context_id),
            scheduled_for=event.scheduled_for.isoformat(),
            instants=event.instants,
            reason=event.reason,
        )
    for one in news.cancelled:
        log.info("a run is to stop", action="cancel", run_id=str(one.run_id), reason=one.reason)
    for job in news.paused:
        log.warning("a job is paused", action="auto_paused", job_id=str(job.job_id), reason=job.reason)
