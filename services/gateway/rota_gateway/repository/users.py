"""People. Everybody may be looked up by who knows of them; administrators alone make and change them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from rota_gateway.repository.connection import Connection, Row, row, rows, run

COLUMNS = "id, email, display_name, is_admin, is_enabled, created_at"


async def page(
    connection: Connection, after: tuple[datetime, UUID] | None, limit: int, *, email: str | None
) -> list[Row]:
    """Oldest first; with an address the one of it."""
    created_at, user_id = after or (None, None)
    return await rows(
        connection,
        f"""
        SELECT {COLUMNS} FROM users
        WHERE (CAST(:email AS text) IS NULL OR email = :email)
          AND (CAST(:created_at AS timestamptz) IS NULL OR (created_at, id) > (:created_at, :user_id))
        ORDER BY created_at, id LIMIT :limit
        """,
        email=email,
        created_at=created_at,
        user_id=user_id,
        limit=limit,
    )


async def get(connection: Connection, user_id: UUID) -> Row | None:
    return await row(connection, f"SELECT {COLUMNS} FROM users WHERE id = :id", id=user_id)


async def by_email(connection: Connection, email: str) -> Row | None:
    return await row(connection, f"SELECT {COLUMNS} FROM users WHERE email = :email", email=email)


async def add(connection: Connection, values: Mapping[str, Any]) -> Row:
    added = await row(
        connection,
        f"""
        INSERT INTO users (email, display_name, is_admin) VALUES (:email, :display_name, :is_admin)
        RETURNING {COLUMNS}
        """,
        **values,
    )
    assert added is not None
    return added


async def update(connection: Connection, user_id: UUID, changes: Mapping[str, Any]) -> bool:
    """Sets the columns named in `changes`, which are names of this table and never a caller's words.

    Whether it did: not for who is no administrator any more.
    """
    assignments = ", ".join(f"{column} = :{column}" for column in changes)
    return await run(connection, f"UPDATE users SET {assignments} WHERE id = :id", id=user_id, **changes) == 1


async def hold_administrators(connection: Connection) -> frozenset[UUID]:
    """Those who may sign in; none of them ceases to be one until the transaction ends."""
    found = await rows(
        connection, "SELECT id FROM users WHERE is_admin AND is_enabled ORDER BY id FOR NO KEY UPDATE"
    )
    return frozenset(one["id"] for one in found)


async def hold_bootstrap(connection: Connection) -> None:
    """Two bootstraps at the same time go one after the other."""
    await run(connection, "SELECT pg_advisory_xact_lock(hashtextextended('rota/bootstrap', 0))")


async def ensure_admin(connection: Connection, email: str, display_name: str) -> UUID:
    """The administrator of that address, made where there is none, and let in again."""
    found = await row(
        connection,
        """
        INSERT INTO users (email, display_name, is_admin) VALUES (:email, :display_name, true)
        ON CONFLICT (email) DO UPDATE SET is_admin = true, is_enabled = true RETURNING id
        """,
        email=email,
        display_name=display_name,
    )
    assert found is not None
    user_id: UUID = found["id"]
    return user_id
