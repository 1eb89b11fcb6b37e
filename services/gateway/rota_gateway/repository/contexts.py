from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from rota_gateway.repository.connection import Connection, Row, row, rows, run

SELECT = """
    SELECT c.id, c.name, c.max_concurrent_runs, c.min_period_seconds, c.allowed_hosts, c.created_at, c.updated_at,
           (SELECT count(*) FROM scheduled_jobs j WHERE j.context_id = c.id) AS job_count,
           (SELECT m.role FROM memberships m
            WHERE m.context_id = c.id AND m.user_id = rota_user()) AS role
    FROM contexts c
"""


async def page(connection: Connection, after: tuple[datetime, UUID] | None, limit: int) -> list[Row]:
    """Oldest first."""
    created_at, context_id = after or (None, None)
    return await rows(
        connection,
        f"""
        {SELECT}
        WHERE CAST(:created_at AS timestamptz) IS NULL OR (c.created_at, c.id) > (:created_at, :context_id)
        ORDER BY c.created_at, c.id LIMIT :limit
        """,
        created_at=created_at,
        context_id=context_id,
        limit=limit,
    )


async def get(connection: Connection, context_id: UUID) -> Row | None:
    return await row(connection, f"{SELECT} WHERE c.id = :id", id=context_id)


async def add(connection: Connection, user_id: UUID, values: dict[str, Any]) -> UUID:
    """Creates a context of the columns named in `values`, with the user as its owner."""
    context_id = uuid4()
    # No RETURNING: the founder sees the row only as its member.
    await run(
        connection,
        f"INSERT INTO contexts (id, {', '.join(values)}) VALUES (:id, {', '.join(f':{name}' for name in values)})",
        id=context_id,
        **values,
    )
    await run(
        connection,
        "INSERT INTO memberships (context_id, user_id, role) VALUES (:context_id, :user_id, 'owner')",
        context_id=context_id,
        user_id=user_id,
    )
    return context_id


async def update(connection: Connection, context_id: UUID, changes: dict[str, Any]) -> None:
    """Sets the columns named in `changes`, which are names of this table and never a caller's words."""
    assignments = ", ".join(f"{column} = :{column}" for column in changes)
    await run(
        connection,
        f"UPDATE contexts SET {assignments}, updated_at = now() WHERE id = :id",
        id=context_id,
        **changes,
    )


async def hold(connection: Connection, context_id: UUID) -> None:
    """Until the transaction ends nothing new becomes of the context; taken in the order of everybody's locks."""
    await run(connection, "SELECT rota_hold_context(:id)", id=context_id)


async def delete(connection: Connection, context_id: UUID) -> None:
    await run(connection, "DELETE FROM contexts WHERE id = :id", id=context_id)


async def exists(connection: Connection, name: str) -> bool:
    return await row(connection, "SELECT 1 FROM contexts WHERE name = :name", name=name) is not None
