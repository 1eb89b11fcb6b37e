from datetime import datetime
from uuid import UUID

from rota_gateway.repository.connection import Connection, Row, row, rows, run

# Of the key that `rota up` brings; people cannot give this name.
BOOTSTRAP_NAME = "bootstrap"
COLUMNS = "id, name, prefix, created_at, last_used_at, expires_at, revoked_at"


async def page(
    connection: Connection, user_id: UUID, after: tuple[datetime, UUID] | None, limit: int
) -> list[Row]:
    """The user's keys, newest first."""
    created_at, key_id = after or (None, None)
    return await rows(
        connection,
        f"""
        SELECT {COLUMNS} FROM api_keys
        WHERE user_id = :user_id
          AND (CAST(:created_at AS timestamptz) IS NULL OR (created_at, id) < (:created_at, :key_id))
        ORDER BY created_at DESC, id DESC LIMIT :limit
        """,
        user_id=user_id,
        created_at=created_at,
        key_id=key_id,
        limit=limit,
    )


async def add(
    connection: Connection,
    user_id: UUID,
    *,
    name: str,
    prefix: str,
    key_hash: bytes,
    expires_at: datetime | None,
) -> Row:
    added = await row(
        connection,
        f"""
        INSERT INTO api_keys (user_id, name, prefix, key_hash, expires_at)
        VALUES (:user_id, :name, :prefix, :key_hash, :expires_at) RETURNING {COLUMNS}
        """,
        user_id=user_id,
        name=name,
        prefix=prefix,
        key_hash=key_hash,
        expires_at=expires_at,
    )
    assert added is not None
    return added


async def revoke(connection: Connection, user_id: UUID, key_id: UUID) -> bool:
    """Whether the user has such a key; revoking twice is no error."""
    touched = await run(
        connection,
        """
        UPDATE api_keys SET revoked_at = coalesce(revoked_at, now()) WHERE id = :id AND user_id = :user_id
        """,
        id=key_id,
        user_id=user_id,
    )
    return touched == 1


async def ensure_bootstrap(connection: Connection, user_id: UUID, *, prefix: str, key_hash: bytes) -> None:
    """Makes this the user's one bootstrap key; one of another value is revoked."""
    await run(
        connection,
        """
        UPDATE api_keys SET revoked_at = now()
        WHERE user_id = :user_id AND name = :name AND key_hash <> :key_hash AND revoked_at IS NULL
        """,
        user_id=user_id,
        name=BOOTSTRAP_NAME,
        key_hash=key_hash,
    )
    await run(
        connection,
        """
        INSERT INTO api_keys (user_id, name, prefix, key_hash) VALUES (:user_id, :name, :prefix, :key_hash)
        ON CONFLICT (key_hash) DO UPDATE SET revoked_at = NULL
        """,
        user_id=user_id,
        name=BOOTSTRAP_NAME,
        prefix=prefix,
        key_hash=key_hash,
    )
