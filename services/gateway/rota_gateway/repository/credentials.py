"""Credentials of contexts: sealed before they come here."""

import json
from typing import Any
from uuid import UUID

from rota_gateway.repository.connection import Connection, Row, decoded, row, rows, run

# Without what is sealed.
SELECT = """
    SELECT c.id, c.context_id, c.name, c.kind, c.settings, c.created_at, c.updated_at,
           coalesce(nullif(u.display_name, ''), u.email) AS created_by
    FROM credentials c LEFT JOIN users u ON u.id = c.created_by
"""


async def of_context(connection: Connection, context_id: UUID) -> list[Row]:
    found = await rows(connection, f"{SELECT} WHERE c.context_id = :id ORDER BY c.name", id=context_id)
    return [_plain(one) for one in found]


async def get(connection: Connection, context_id: UUID, name: str) -> Row | None:
    found = await row(
        connection, f"{SELECT} WHERE c.context_id = :id AND c.name = :name", id=context_id, name=name
    )
    return found and _plain(found)


async def put(
    connection: Connection,
    context_id: UUID,
    name: str,
    *,
    kind: str,
    settings: dict[str, Any],
    sealed: bytes,
    user_id: UUID,
) -> None:
    """Adds the credential, or replaces the one of that name."""
    await run(
        connection,
        """
        INSERT INTO credentials (context_id, name, kind, settings, sealed, created_by)
        VALUES (:context_id, :name, :kind, CAST(:settings AS jsonb), :sealed, :user_id)
        ON CONFLICT (context_id, name) DO UPDATE SET kind = excluded.kind, settings = excluded.settings,
            sealed = excluded.sealed, created_by = excluded.created_by, updated_at = clock_timestamp()
        """,
        context_id=context_id,
        name=name,
        kind=kind,
        settings=json.dumps(settings),
        sealed=sealed,
        user_id=user_id,
    )


async def count(connection: Connection, context_id: UUID) -> int:
    found = await row(
        connection, "SELECT count(*) AS number FROM credentials WHERE context_id = :id", id=context_id
    )
    return int(found["number"]) if found else 0


async def delete(connection: Connection, context_id: UUID, name: str) -> bool:
    deleted = await run(
        connection,
        "DELETE FROM credentials WHERE context_id = :id AND name = :name",
        id=context_id,
        name=name,
    )
    return deleted == 1


async def sealed(connection: Connection, after: UUID | None, limit: int) -> list[Row]:
    """Every credential as it is sealed, held until the transaction ends."""
    return await rows(
        connection,
        """
        SELECT id, sealed FROM credentials WHERE CAST(:after AS uuid) IS NULL OR id > :after
        ORDER BY id LIMIT :limit FOR UPDATE
        """,
        after=after,
        limit=limit,
    )


async def reseal(connection: Connection, credential_id: UUID, resealed: bytes) -> None:
    await run(
        connection,
        "UPDATE credentials SET sealed = :sealed WHERE id = :id",
        id=credential_id,
        sealed=resealed,
    )


def _plain(found: Row) -> Row:
    return {**found, "settings": decoded(found["settings"])}
