"""What earlier runs of a job left to those after them."""

from collections.abc import Sequence
from uuid import UUID

import msgspec

from rota_executor.continuity import Carried, Continuity
from rota_store import Database

# What began before somebody had it forgotten is, also where it ended after that.
EARLIER = """
    SELECT j.continuity, j.continuity_max_chars, e.carried
    FROM scheduled_jobs j
    LEFT JOIN job_continuity_resets r ON r.job_id = j.id
    LEFT JOIN LATERAL (
        SELECT a.carried, a.ended_at FROM run_attempts a
        WHERE a.job_id = j.id AND a.carried IS NOT NULL AND a.run_id <> :run_id
          AND a.started_at > coalesce(r.reset_at, '-infinity')
        ORDER BY a.ended_at DESC
        LIMIT CASE WHEN j.continuity = 'last_n_outcomes' THEN j.continuity_outcomes ELSE 1 END
    ) e ON true
    WHERE j.id = :job_id AND j.continuity <> 'none'
    ORDER BY e.ended_at DESC
"""


async def continuing(database: Database, job_ids: Sequence[UUID]) -> set[UUID]:
    """Those of the jobs that say anything but none."""
    rows = await database.fetch(
        "SELECT id FROM scheduled_jobs WHERE id = ANY (CAST(:job_ids AS uuid[])) AND continuity <> 'none'",
        {"job_ids": list(job_ids)},
    )
    return {row[0] for row in rows}


async def load(database: Database, job_id: UUID, run_id: UUID) -> Continuity:
    """As the job says it now, for that run of it."""
    rows = await database.fetch(EARLIER, {"job_id": job_id, "run_id": run_id})
    if not rows:
        return Continuity()
    earlier = [msgspec.json.decode(row[2], type=Carried) for row in rows if row[2] is not None]
    return Continuity(rows[0][0], rows[0][1], earlier)
