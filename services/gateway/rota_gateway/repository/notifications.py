from datetime import datetime
from uuid import UUID

from rota_gateway.repository.connection import Connection, Row, row, rows, run

IS_UNREAD = """NOT EXISTS (
    SELECT 1 FROM notification_reads s WHERE s.notification_id = n.id AND s.user_id = rota_user())"""


async def page(
    connection: Connection, after: tuple[datetime, UUID] | None, limit: int, *, unread_only: bool
) -> list[Row]:
    """Newest first."""
    created_at, notification_id = after or (None, None)
    return await rows(
        connection,
        f"""
        SELECT n.id, n.context_id, n.run_id, n.job_id, n.category, n.title, n.body, n.created_at,
               NOT {IS_UNREAD} AS is_read
        FROM notifications n
        WHERE (NOT :unread_only OR {IS_UNREAD})
          AND (CAST(:created_at AS timestamptz) IS NULL
               OR (n.created_at, n.id) < (:created_at, :notification_id))
        ORDER BY n.created_at DESC, n.id DESC LIMIT :limit
        """,
        unread_only=unread_only,
        created_at=created_at,
        notification_id=notification_id,
        limit=limit,
    )


async def unread_count(connection: Connection) -> int:
    found = await row(connection, f"SELECT count(*) AS unread FROM notifications n WHERE {IS_UNREAD}")
    return int(found["unread"]) if found else 0


async def mark_read(connection: Connection, user_id: UUID, notification_id: UUID) -> bool:
    """Whether there is such a notification; reading twice is no error."""
    found = await row(
        connection,
        "SELECT id FROM notifications WHERE id = :notification_id",
        notification_id=notification_id,
    )
    if found is None:
        return False
    await run(
        connection,
        """
        INSERT INTO notification_reads (notification_id, user_id) VALUES (:notification_id, :user_id)
        ON CONFLICT DO NOTHING
        """,
        notification_id=notification_id,
        user_id=user_id,
    )
    return True


async def mark_all_read(connection: Connection, user_id: UUID) -> int:
    """How many were unread."""
    return await run(
        connection,
        f"""
        INSERT INTO notification_reads (notification_id, user_id)
        SELECT n.id, :user_id FROM notifications n WHERE {IS_UNREAD}
        ON CONFLICT DO NOTHING
        """,
        user_id=user_id,
    )
