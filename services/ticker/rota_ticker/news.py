"""What a transaction did, to be told after its commit."""

from dataclasses import dataclass, field
from uuid import UUID

from rota_contracts.events import Event, JobClosed, JobDue, JobPaused, JobSnapshot, RunStopping
from rota_ticker.domain.attempts import Dispatched, due_event
from rota_ticker.domain.jobs import Job, Occurrence
from rota_ticker.repository.ledger import Cancelled, Closed


@dataclass
class News:
    """`jobs` are definitions that were read on the way: events carry a snapshot of them."""

    jobs: dict[UUID, Job] = field(default_factory=dict)
    # By run: what is known of jobs that were deleted.
    remembered: dict[UUID, JobSnapshot] = field(default_factory=dict)
    entered: list[Occurrence] = field(default_factory=list)
    runs: list[Dispatched] = field(default_factory=list)
    closed: list[Closed] = field(default_factory=list)
    cancelled: list[Cancelled] = field(default_factory=list)
    paused: list[JobPaused] = field(default_factory=list)
    # There may be more to admit than this transaction did.
    is_cut: bool = False
    # The row that holds what `lasting` says, until it is said.
    kept_as: UUID | None = None

    def dispatches(self) -> list[JobDue]:
        """What is to run: the ledger says it again while nobody begins it."""
        return [
            due_event(run, self.remembered.get(run.run_id) or self.jobs[run.job_id].snapshot())
            for run in self.runs
        ]

    def lasting(self) -> list[Event]:
        """What nobody would ask the ledger for: to be kept until it is said."""
        return [*self.closings(), *self.paused]

    def closings(self) -> list[JobClosed]:
        """What got its disposition without a run."""
        return [
            *(_closed(row) for row in self.entered if row.disposition),
            *(_closed(row) for row in self.closed),
        ]

    def hints(self) -> list[RunStopping]:
        return [
            RunStopping(context_id=one.context_id, job_id=one.job_id, run_id=one.run_id, reason=one.reason)
            for one in self.cancelled
        ]


def _closed(row: Occurrence | Closed) -> JobClosed:
    assert row.disposition is not None
    return JobClosed(
        run_id=row.run_id,
        job_id=row.job_id,
        context_id=row.context_id,
        scheduled_for=row.scheduled_for,
        disposition=row.disposition,
        reason=row.reason or "",
        reason_code=row.reason_code or "",
        instants=row.instants,
        last_instant=row.last_instant,
        trigger=row.trigger,
    )
