"""The ledger is compared with the definitions all the time: all jobs of all contexts, batch by batch.

Where it has come is in a table: replicas take turns, and each tells the same on /metrics.
"""

import asyncio
import time
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from rota_chassis import logs
from rota_gateway import metrics
from rota_gateway.domain.audit import Audit, Piece, Window, audit
from rota_gateway.domain.gaps import Gap
from rota_gateway.repository import audit_passes, audits, clock, occurrences
from rota_gateway.repository.audit_passes import Batch, Standing, Tally
from rota_gateway.repository.connection import Connection, Row
from rota_gateway.row_by_row import gaps_in
from rota_store import Database

log = logs.logger(__name__)

# Of the time of one core, the database included. A job takes some 0.07 ms: ten thousand jobs are looked
# through in five minutes, a million in eight hours.
SHARE = 0.0025
LONGEST_PAUSE = 60.0
# Waiting for the next batch costs one small statement.
IDLE = 15.0
# A batch takes about as long as this, whatever its jobs have behind them.
BATCH_SECONDS = 0.2
MOST_JOBS = 500
# Of one batch; the others are counted.
MOST_NAMED = 20
GAPS_NAMED = 10


class Auditor:
    def __init__(self, database: Database, *, interval_seconds: float) -> None:
        self._database = database
        self._interval = timedelta(seconds=interval_seconds)
        # How many jobs the next batch has at the most.
        self.limit = 20

    async def work(self) -> float:
        """Looks at the next jobs, if it is time; how many seconds there is nothing more to do."""
        await audit_passes.begin(self._database, self._interval)
        batch = await audit_passes.take(self._database)
        patience = min(IDLE, self._interval.total_seconds())
        if batch is not None:
            patience = await self._look(batch)
        _show(await audit_passes.standing(self._database))
        return patience

    async def _look(self, batch: Batch) -> float:
        begun = time.monotonic()
        limit, self.limit = self.limit, max(1, self.limit // 4)  # fewer next time, should this one fail
        async with self._database.transaction() as connection:
            await audits.become_auditor(connection)
            jobs = await audits.page(connection, None, batch.after, batch.since, limit)
            tally = await self._tally(connection, jobs, batch)
        took = time.monotonic() - begun
        self.limit = max(1, min(MOST_JOBS, limit * 2, int(limit * BATCH_SECONDS / max(took, 0.001))))
        pause = min(LONGEST_PAUSE, took / SHARE)
        last_job = jobs[-1]["id"] if len(jobs) == limit else None
        await audit_passes.advance(self._database, batch, last_job, tally, timedelta(seconds=pause))
        return min(pause, IDLE)

    async def _tally(self, connection: Connection, jobs: Sequence[Row], batch: Batch) -> Tally:
        window = Window(await occurrences.since(connection), batch.since)
        found = await asyncio.to_thread(audit, jobs, window, await clock.now(connection))
        differing = [job for job in jobs if job["id"] in found.doubtful]
        named = {
            job["id"]: await gaps_in(connection, job, found.doubtful[job["id"]])
            for job in differing[:MOST_NAMED]
        }
        for job in [job for job in jobs if job["id"] in found.unclear][:MOST_NAMED]:
            if gaps := await gaps_in(connection, job, found.unclear[job["id"]]):
                differing.append(job)
                named[job["id"]] = gaps
        instants = 0
        for job in differing:
            if job["id"] in named:
                _name(job, named[job["id"]])
            instants += sum(gap.instants for gap in named.get(job["id"], [])) or _by_sum(
                job, found.doubtful[job["id"]]
            )
        if len(differing) > len(named):
            log.error("so do more jobs", action="ledger_differs", jobs=len(differing) - len(named))
        behind = [*found.behind, *_unplanned(jobs, found)]
        for one in behind[:MOST_NAMED]:
            log.error(
                "the ticker leaves a job behind",
                action="job_behind",
                job_id=str(one["job_id"]),
                name=one["name"],
                reason=one.get("reason") or f"it was due at {one['since'].isoformat()}",
            )
        return Tally(len(jobs), len(differing), instants, len(behind))


def _unplanned(jobs: Sequence[Row], found: Audit) -> list[dict[str, Any]]:
    """What no ticker has looked at; a definition that cannot be planned is its owner's business."""
    refused = {job["id"] for job in jobs if job["error"]}
    return [one for one in found.unplanned if one["job_id"] not in refused]


def _name(job: Row, gaps: Sequence[Gap]) -> None:
    log.error(
        "the ledger does not say what was due",
        action="ledger_differs",
        job_id=str(job["id"]),
        context_id=str(job["context_id"]),
        name=job["name"],
        instants=[_told(gap) for gap in gaps[:GAPS_NAMED]],
    )


def _by_sum(job: Row, due: Sequence[Piece]) -> int:
    return abs(sum(piece.expected or 0 for piece in due) - int(job["accounted"]))


def _told(gap: Gap) -> str:
    instants = gap.first.isoformat()
    if gap.first != gap.last:
        instants += f" to {gap.last.isoformat()} ({gap.instants})"
    return f"{instants} is in no row" if not gap.is_surplus else f"{instants} was not due"


def _show(standing: Standing) -> None:
    """The worse of the last time through and the one under way: trouble is told as soon as it is found."""
    done, now = standing.completed, standing.under_way
    metrics.UNACCOUNTED_INSTANTS.set(max(done.unaccounted_instants, now.unaccounted_instants))
    metrics.UNACCOUNTED_JOBS.set(max(done.unaccounted_jobs, now.unaccounted_jobs))
    metrics.BEHIND_JOBS.set(max(done.behind_jobs, now.behind_jobs))
    metrics.AUDITED_JOBS.set(done.jobs)
    if standing.completed_at:
        metrics.AUDIT_COMPLETED.set(standing.completed_at.timestamp())
