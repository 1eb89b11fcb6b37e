"""Who owns what was applied from a file: objects of an owner that its file leaves out may be pruned."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

from rota_gateway.repository.connection import Connection, Row, rows, run

# Of each kind the table, and of what its objects are called by; as domain.applying calls a budget.
TABLES = {
    "calendar": ("calendars", "o.name"),
    "mcp_server": ("mcp_servers", "o.name"),
    "agent": ("agent_configurations", "o.name"),
    "job": ("scheduled_jobs", "o.name"),
    "budget": (
        "budgets",
        """o.period || coalesce(
            ' of job ' || (SELECT j.name FROM scheduled_jobs j WHERE j.id = o.job_id), ' of agent ' || o.agent_name, '')""",
    ),
}


async def of_owner(connection: Connection, context_id: UUID, owner: str) -> list[Row]:
    """Kind and name of all that the owner has in the context, and that is still there."""
    parts = [
        f"""
        SELECT l.kind, o.id, {name} AS name FROM owner_labels l JOIN {table} o ON o.id = l.object_id
        WHERE l.kind = '{kind}' AND l.context_id = :context_id AND l.owner = :owner
        """
        for kind, (table, name) in TABLES.items()
    ]
    return await rows(
        connection, f"{' UNION ALL '.join(parts)} ORDER BY name", context_id=context_id, owner=owner
    )


async def label(connection: Connection, context_id: UUID, kind: str, object_id: UUID, owner: str) -> None:
    """The last one who applies an object owns it."""
    await run(
        connection,
        """
        INSERT INTO owner_labels (kind, object_id, context_id, owner)
        VALUES (:kind, :object_id, :context_id, :owner)
        ON CONFLICT (kind, object_id) DO UPDATE SET owner = excluded.owner
        """,
        kind=kind,
        object_id=object_id,
        context_id=context_id,
        owner=owner,
    )


async def forget(connection: Connection, kind: str, object_id: UUID) -> None:
    await run(
        connection,
        "DELETE FROM owner_labels WHERE kind = :kind AND object_id = :object_id",
        kind=kind,
        object_id=object_id,
    )


async def ids(connection: Connection, context_id: UUID, kind: str, *, hold: bool) -> dict[str, UUID]:
    """The objects of the context's own by their names.

    Those that are held until the transaction ends are only those that the user may change.
    """
    table, name = TABLES[kind]
    holding = "FOR UPDATE OF o" if hold else ""
    found = await rows(
        connection,
        f"SELECT o.id, {name} AS name FROM {table} o WHERE o.context_id = :context_id ORDER BY o.id {holding}",
        context_id=context_id,
    )
    return {one["name"]: one["id"] for one in found}


@asynccontextmanager
async def undone(connection: Connection) -> AsyncIterator[None]:
    """What the block does is done for a look, and not kept; neither is what fails."""
    await run(connection, "SAVEPOINT applying")
    try:
        yield
    finally:
        await run(connection, "ROLLBACK TO SAVEPOINT applying")


@asynccontextmanager
async def apart(connection: Connection) -> AsyncIterator[None]:
    """What fails in the block is undone, so that the transaction can go on."""
    await run(connection, "SAVEPOINT one")
    try:
        yield
    except BaseException:
        await run(connection, "ROLLBACK TO SAVEPOINT one")
        raise
    await run(connection, "RELEASE SAVEPOINT one")
