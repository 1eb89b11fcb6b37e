"""Since when runs of a job know nothing of those before."""

from uuid import UUID

from rota_gateway.repository.connection import Connection, run


async def reset(connection: Connection, job_id: UUID, context_id: UUID) -> None:
    await run(
        connection,
        """
        INSERT INTO job_continuity_resets (job_id, context_id) VALUES (:job_id, :context_id)
        ON CONFLICT (job_id) DO UPDATE SET reset_at = clock_timestamp()
        """,
        job_id=job_id,
        context_id=context_id,
    )
