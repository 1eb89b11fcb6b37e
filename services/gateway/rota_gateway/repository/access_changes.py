"""What people may do, and who changed that. The rows are written by triggers."""

from datetime import datetime
from uuid import UUID

from rota_gateway.repository.connection import Connection, Row, rows


async def page(
    connection: Connection,
    after: tuple[datetime, UUID] | None,
    limit: int,
    *,
    context_id: UUID | None,
    user_id: UUID | None,
) -> list[Row]:
    """Newest first."""
    created_at, change_id = after or (None, None)
    return await rows(
        connection,
        """
        SELECT c.id, c.context_id, c.user_id, u.email, c.field, c.old, c.new, c.created_at,
               coalesce(nullif(b.display_name, ''), b.email) AS changed_by
        FROM access_changes c JOIN users u ON u.id = c.user_id LEFT JOIN users b ON b.id = c.changed_by
        WHERE (CAST(:context_id AS uuid) IS NULL OR c.context_id = :context_id)
          AND (CAST(:of_user AS uuid) IS NULL OR c.user_id = :of_user)
          AND (CAST(:created_at AS timestamptz) IS NULL OR (c.created_at, c.id) < (:created_at, :change_id))
        ORDER BY c.created_at DESC, c.id DESC LIMIT :limit
        """,
        context_id=context_id,
        of_user=user_id,
        created_at=created_at,
        change_id=change_id,
        limit=limit,
    )
