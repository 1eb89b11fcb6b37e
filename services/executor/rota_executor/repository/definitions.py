"""What contexts say about the tools of their agents, read afresh for each call."""

from uuid import UUID

from rota_store import Database, Row


class Definitions:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def allowed_hosts(self, context_id: UUID) -> frozenset[str]:
        """The hosts that tools of the context may reach wherever they are: `host`, `host:port`, `[::1]:port`."""
        rows = await self._database.fetch(
            "SELECT allowed_hosts FROM contexts WHERE id = :context_id", {"context_id": context_id}
        )
        return frozenset(rows[0][0]) if rows else frozenset()

    async def credential(self, context_id: UUID, name: str) -> Row | None:
        """`id`, `name`, `kind`, `settings` as JSON, what is `sealed`, and when it was `updated_at`."""
        rows = await self._database.fetch(
            """
            SELECT id, name, kind, settings, sealed, updated_at FROM credentials
            WHERE context_id = :context_id AND name = :name
            """,
            {"context_id": context_id, "name": name},
        )
        return rows[0] if rows else None
