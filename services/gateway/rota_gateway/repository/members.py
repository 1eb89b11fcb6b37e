"""Who is what in a context."""

from datetime import datetime
from uuid import UUID

from rota_gateway.repository.connection import Connection, Row, row, rows, run

SELECT = """
    SELECT m.context_id, m.user_id, u.email, u.display_name, u.is_enabled, m.role, m.created_at
    FROM memberships m JOIN users u ON u.id = m.user_id
"""


async def page(
    connection: Connection, context_id: UUID, after: tuple[datetime, UUID] | None, limit: int
) -> list[Row]:
    """Oldest first."""
    created_at, user_id = after or (None, None)
    return await rows(
        connection,
        f"""
        {SELECT}
        WHERE m.context_id = :context_id
          AND (CAST(:created_at AS timestamptz) IS NULL OR (m.created_at, m.user_id) > (:created_at, :user_id))
        ORDER BY m.created_at, m.user_id LIMIT :limit
        """,
        context_id=context_id,
        created_at=created_at,
        user_id=user_id,
        limit=limit,
    )


async def get(connection: Connection, context_id: UUID, user_id: UUID) -> Row | None:
    return await row(
        connection,
        f"{SELECT} WHERE m.context_id = :context_id AND m.user_id = :user_id",
        context_id=context_id,
        user_id=user_id,
    )


async def hold_owners(connection: Connection, context_id: UUID) -> dict[UUID, bool]:
    """Its owners, and whether they are let in; none ceases to be one until the transaction ends.

    Empty for whoever may not change them.
    """
    found = await rows(
        connection,
        f"{SELECT} WHERE m.context_id = :id AND m.role = 'owner' ORDER BY m.user_id FOR NO KEY UPDATE OF m",
        id=context_id,
    )
    return {one["user_id"]: one["is_enabled"] for one in found}


async def put(connection: Connection, context_id: UUID, user_id: UUID, role: str) -> None:
    await run(
        connection,
        """
        INSERT INTO memberships (context_id, user_id, role) VALUES (:context_id, :user_id, :role)
        ON CONFLICT (context_id, user_id) DO UPDATE SET role = excluded.role
        """,
        context_id=context_id,
        user_id=user_id,
        role=role,
    )


async def delete(connection: Connection, context_id: UUID, user_id: UUID) -> bool:
    """Whether there was such a member. Their jobs are nobody's own from then on."""
    await run(
        connection,
        "UPDATE scheduled_jobs SET owner_id = NULL WHERE context_id = :context_id AND owner_id = :user_id",
        context_id=context_id,
        user_id=user_id,
    )
    touched = await run(
        connection,
        "DELETE FROM memberships WHERE context_id = :context_id AND user_id = :user_id",
        context_id=context_id,
        user_id=user_id,
    )
    return touched == 1
