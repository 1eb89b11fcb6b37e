"""Who calls: by API key, by session cookie, by sign-in link. These tables have no tenant."""

from datetime import timedelta
from uuid import UUID

from rota_gateway.repository.connection import Connection, Row, row, run

USER = "u.id, u.email, u.display_name, u.is_admin"


async def by_api_key(connection: Connection, key_hash: bytes) -> Row | None:
    found = await row(
        connection,
        f"""
        SELECT {USER}, k.id AS key_id,
               coalesce(k.last_used_at < now() - interval '1 minute', true) AS is_use_unrecorded
        FROM api_keys k JOIN users u ON u.id = k.user_id
        WHERE k.key_hash = :key_hash AND k.revoked_at IS NULL AND u.is_enabled
          AND (k.expires_at IS NULL OR k.expires_at > now())
        """,
        key_hash=key_hash,
    )
    if found and found["is_use_unrecorded"]:
        await run(connection, "UPDATE api_keys SET last_used_at = now() WHERE id = :id", id=found["key_id"])
    return found


async def by_session(connection: Connection, token_hash: bytes) -> Row | None:
    return await row(
        connection,
        f"""
        SELECT {USER} FROM sessions s JOIN users u ON u.id = s.user_id
        WHERE s.token_hash = :token_hash AND s.expires_at > now() AND u.is_enabled
        """,
        token_hash=token_hash,
    )


async def open_session(connection: Connection, user_id: UUID, token_hash: bytes, life: timedelta) -> None:
    await run(
        connection,
        """
        INSERT INTO sessions (token_hash, user_id, expires_at)
        VALUES (:token_hash, :user_id, now() + :life)
        """,
        token_hash=token_hash,
        user_id=user_id,
        life=life,
    )
    await run(
        connection, "DELETE FROM sessions WHERE user_id = :user_id AND expires_at < now()", user_id=user_id
    )


async def close_session(connection: Connection, token_hash: bytes) -> None:
    await run(connection, "DELETE FROM sessions WHERE token_hash = :token_hash", token_hash=token_hash)


async def close_all(connection: Connection, user_id: UUID) -> None:
    """Ends the user's sessions, and links that would begin one."""
    for table in ("sessions", "sign_in_links"):
        await run(connection, f"DELETE FROM {table} WHERE user_id = :user_id", user_id=user_id)


async def add_sign_in_link(connection: Connection, user_id: UUID, token_hash: bytes, life: timedelta) -> None:
    await run(
        connection,
        "DELETE FROM sign_in_links WHERE user_id = :user_id AND (expires_at < now() OR used_at IS NOT NULL)",
        user_id=user_id,
    )
    await run(
        connection,
        """
        INSERT INTO sign_in_links (token_hash, user_id, expires_at)
        VALUES (:token_hash, :user_id, now() + :life)
        """,
        token_hash=token_hash,
        user_id=user_id,
        life=life,
    )


async def use_sign_in_link(connection: Connection, token_hash: bytes) -> UUID | None:
    """The user whom the link signs in; it works once, also when two use it at the same time."""
    found = await row(
        connection,
        """
        UPDATE sign_in_links l SET used_at = now() FROM users u
        WHERE l.token_hash = :token_hash AND l.used_at IS NULL AND l.expires_at > now()
          AND u.id = l.user_id AND u.is_enabled
        RETURNING l.user_id
        """,
        token_hash=token_hash,
    )
    return found["user_id"] if found else None
