"""The one permission check. Row level security holds without it; this says 403 or 404 in its stead."""

from typing import Literal
from uuid import UUID

from rota_gateway.errors import ForbiddenError, NotFoundError
from rota_gateway.repository.connection import Connection, row, rows

Right = Literal["read", "write", "decide", "own"]


async def require(connection: Connection, context_id: UUID, right: Right) -> None:
    """Raises unless the user of this transaction has the right in the context.

    Raises:
        NotFoundError: the user may not know of the context.
        ForbiddenError: the user may see it, and no more.

    """
    found = await row(
        connection,
        """
        SELECT :id IN (SELECT rota_visible_contexts()) AS read,
               :id IN (SELECT rota_writable_contexts()) AS write,
               :id IN (SELECT rota_deciding_contexts()) AS decide,
               :id IN (SELECT rota_owned_contexts()) AS own
        """,
        id=context_id,
    )
    if found is None or not found["read"]:
        raise NotFoundError("context")
    if not found[right]:
        raise ForbiddenError("Your role in this context does not allow this.")


async def require_for_job(connection: Connection, job_id: UUID, right: Right) -> UUID:
    """The same for the context of a job; returns that context."""
    found = await row(connection, "SELECT context_id FROM scheduled_jobs WHERE id = :id", id=job_id)
    if found is None:
        raise NotFoundError("job")
    context_id: UUID = found["context_id"]
    await require(connection, context_id, right)
    return context_id


async def writable_contexts(connection: Connection) -> frozenset[UUID]:
    found = await rows(connection, "SELECT rota_writable_contexts() AS id")
    return frozenset(row["id"] for row in found)


async def visible_contexts(connection: Connection) -> frozenset[UUID]:
    found = await rows(connection, "SELECT rota_visible_contexts() AS id")
    return frozenset(row["id"] for row in found)
