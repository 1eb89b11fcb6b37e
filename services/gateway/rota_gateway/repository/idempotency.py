"""Answers kept for a day under the key that a caller chose; written in the transaction of the effect."""

from uuid import UUID

from rota_gateway.repository.connection import Connection, Row, row, run


async def lock(connection: Connection, user_id: UUID, key: str) -> bool:
    """Holds the key until the transaction ends; false when another request holds it now."""
    found = await row(
        connection,
        "SELECT pg_try_advisory_xact_lock(hashtextextended(:name, 0)) AS held",
        name=f"idempotency/{user_id}/{key}",
    )
    return bool(found and found["held"])


async def find(connection: Connection, user_id: UUID, key: str) -> Row | None:
    await run(
        connection,
        "DELETE FROM idempotency_keys WHERE user_id = :user_id AND created_at < now() - interval '1 day'",
        user_id=user_id,
    )
    return await row(
        connection,
        "SELECT request_hash, status, body FROM idempotency_keys WHERE user_id = :user_id AND key = :key",
        user_id=user_id,
        key=key,
    )


async def keep(
    connection: Connection, user_id: UUID, key: str, *, request_hash: bytes, status: int, body: bytes | None
) -> None:
    await run(
        connection,
        """
        INSERT INTO idempotency_keys (user_id, key, request_hash, status, body)
        VALUES (:user_id, :key, :request_hash, :status, :body)
        """,
        user_id=user_id,
        key=key,
        request_hash=request_hash,
        status=status,
        body=body,
    )
