from datetime import datetime
from uuid import UUID

from rota_gateway.repository.connection import Connection, Row, rows


async def page_of_job(
    connection: Connection, job_id: UUID, after: tuple[datetime, UUID] | None, limit: int
) -> list[Row]:
    """The ledger of a job, newest first."""
    created_at, run_id = after or (None, None)
    return await rows(
        connection,
        """
        SELECT run_id, job_id, context_id, scheduled_for, effective_at, trigger, state, disposition, reason,
               instants, last_instant, attempt, created_at, dispatched_at, started_at, closed_at
        FROM occurrences
        WHERE job_id = :job_id
          AND (CAST(:created_at AS timestamptz) IS NULL OR (created_at, run_id) < (:created_at, :run_id))
        ORDER BY created_at DESC, run_id DESC LIMIT :limit
        """,
        job_id=job_id,
        created_at=created_at,
        run_id=run_id,
        limit=limit,
    )
