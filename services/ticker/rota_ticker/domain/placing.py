"""What is dispatched in the moment it becomes due: where there is room, and nobody waits already."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from rota_ticker.domain.attempts import Dispatched
from rota_ticker.domain.jobs import Occurrence, Standing


def placed(
    rows: Sequence[Occurrence],
    rooms: Mapping[UUID, int],
    standings: Mapping[UUID, Standing],
    now: datetime | None,
) -> set[UUID]:
    """The runs that go at once; the others wait, and are admitted in turn.

    Args:
        rows: what is to be entered
        rooms: of each context where nobody waits, how many runs it has room for
        standings: the open occurrences of the jobs
        now: by the clock of the rooms

    """
    left = dict(rooms)
    taken: set[UUID] = set()
    going: set[UUID] = set()
    for row in sorted(rows, key=lambda one: (one.priority, one.effective_at, one.run_id)):
        if row.disposition or left.get(row.context_id, 0) <= 0 or now is None or row.effective_at > now:
            continue
        if row.is_exclusive and (row.job_id in taken or _is_open(standings.get(row.job_id))):
            continue
        left[row.context_id] -= 1
        taken.add(row.job_id)
        going.add(row.run_id)
    return going


def _is_open(standing: Standing | None) -> bool:
    return standing is not None and standing.is_open


def first_attempt(row: Occurrence) -> Dispatched:
    """The run as its row will say it."""
    return Dispatched(
        run_id=row.run_id,
        job_id=row.job_id,
        context_id=row.context_id,
        scheduled_for=row.scheduled_for,
        effective_at=row.effective_at,
        trigger=row.trigger,
        attempt=1,
        failures=0,
        losses=0,
        stands_for=row.stands_for,
        first_instant=row.first_instant,
        prompt_context=row.prompt_context,
        resumes=None,
    )
