"""The definitions that a job went by before."""

from uuid import UUID

from rota_gateway.repository.connection import Connection, Row, decoded, rows


async def of_job(connection: Connection, job_id: UUID) -> list[Row]:
    """In their order."""
    found = await rows(
        connection,
        """
        SELECT valid_from, valid_until, definition FROM job_revisions
        WHERE job_id = :job_id ORDER BY generation
        """,
        job_id=job_id,
    )
    return [{**one, "definition": decoded(one["definition"])} for one in found]
