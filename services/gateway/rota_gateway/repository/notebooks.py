"""What runs of a job noted for those after them."""

from uuid import UUID

from rota_gateway.repository.connection import Connection, Row, rows, run


async def of_job(connection: Connection, job_id: UUID) -> list[Row]:
    return await rows(
        connection,
        "SELECT key, value, run_id, updated_at FROM job_notebooks WHERE job_id = :job_id ORDER BY key",
        job_id=job_id,
    )


async def clear(connection: Connection, job_id: UUID) -> None:
    await run(connection, "SELECT rota_clear_notebook(:job_id)", job_id=job_id)
