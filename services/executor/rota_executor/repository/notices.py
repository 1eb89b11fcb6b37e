"""What runs want people told."""

from uuid import UUID

from rota_store import Database


class NoticesRepository:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(
        self,
        *,
        notification_id: UUID,
        context_id: UUID,
        job_id: UUID,
        run_id: UUID,
        title: str,
        body: str,
        most: int,
    ) -> bool:
        """Writes a request down; False where the run has made that many already."""
        rows = await self._database.fetch(
            """
            WITH added AS (
                INSERT INTO notification_requests (id, context_id, job_id, run_id, title, body)
                SELECT :id, :context_id, :job_id, :run_id, :title, :body
                WHERE (SELECT count(*) FROM notification_requests WHERE run_id = :run_id) < :most
                ON CONFLICT DO NOTHING RETURNING id
            )
            SELECT id FROM added UNION ALL SELECT id FROM notification_requests WHERE id = :id
            """,
            {
                "id": notification_id,
                "context_id": context_id,
                "job_id": job_id,
                "run_id": run_id,
                "title": title,
                "body": body,
                "most": most,
            },
        )
        return bool(rows)
