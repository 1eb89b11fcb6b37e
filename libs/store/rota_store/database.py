"""The engine and its transactions."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Any
from uuid import UUID

import asyncpg
from sqlalchemy import CursorResult, text
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from rota_chassis.lifecycle import Lifetime
from rota_chassis.settings import ServiceSettings

# SQLSTATE classes that say nothing about the statement: connection, resources, operator intervention,
# and the two conflicts that a repetition solves.
TRANSIENT_CLASSES = ("08", "53", "57", "58")
# The statements are fixed: where one names what is not there, the database is not migrated yet. And after a
# failover a connection may lead to a server that only reads.
NOT_READY_STATES = ("3D000", "42P01", "42703", "25006")
TRANSIENT_STATES = ("40001", "40P01", *NOT_READY_STATES)


class Database:
    """A pool of connections as one PostgreSQL role."""

    def __init__(self, url: str, *, application: str, pool_size: int = 5) -> None:
        """Connects lazily to `postgresql://role:password@host:port/database`."""
        self._engine = create_async_engine(
            url.replace("postgresql://", "postgresql+asyncpg://", 1),
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=10,
            pool_pre_ping=False,
            # Errors are logged, and parameters hold prompts and answers.
            hide_parameters=True,
            connect_args={
                "server_settings": {"application_name": f"rota-{application}", "jit": "off"},
                "timeout": 5,
                "command_timeout": 30,
            },
        )

    @contextlib.asynccontextmanager
    async def transaction(self, user_id: UUID | None = None) -> AsyncIterator[AsyncConnection]:
        """One transaction; committed when the block ends, rolled back when it raises.

        With `user_id`, row level security shows what that user may see, until the transaction ends.
        """
        async with self._engine.begin() as connection:
            if user_id is not None:
                await connection.execute(
                    text("SELECT set_config('rota.user_id', :user_id, true)"), {"user_id": str(user_id)}
                )
            yield connection

    async def fetch(self, statement: str, values: Mapping[str, Any] | None = None) -> list[Any]:
        """The rows of one SQL statement in a transaction of its own; parameters as `:name`."""
        async with self.transaction() as connection:
            result = await connection.execute(text(statement), values or {})
            return list(result.all()) if result.returns_rows else []

    async def execute(self, statement: str, values: Mapping[str, Any] | None = None) -> int:
        """Runs one SQL statement in a transaction of its own; the number of rows it touched."""
        async with self.transaction() as connection:
            result: CursorResult[Any] = await connection.execute(text(statement), values or {})
            return result.rowcount

    async def check(self) -> None:
        """Raises when PostgreSQL does not answer within 2 seconds."""
        async with asyncio.timeout(2):
            await self.fetch("SELECT 1")

    async def close(self) -> None:
        await self._engine.dispose()


@contextlib.asynccontextmanager
async def opened(settings: ServiceSettings, lifetime: Lifetime, service: str) -> AsyncIterator[Database]:
    """The database of a service while the block runs; the service is ready only while it answers."""
    database = Database(
        settings.postgres_url.get_secret_value(), application=service, pool_size=settings.postgres_pool_size
    )
    lifetime.checks["postgres"] = database.check
    try:
        yield database
    finally:
        await database.close()


def is_transient(error: BaseException) -> bool:
    """Whether the trouble lies with the server or the way to it, not with the statement."""
    if isinstance(error, PoolTimeoutError | ConnectionError | TimeoutError | OSError | InterfaceError):
        return True
    if isinstance(error, asyncpg.PostgresConnectionError | asyncpg.InterfaceError):
        return True
    if isinstance(error, asyncpg.PostgresError):  # while connecting
        return _is_transient_state(error.sqlstate)
    if isinstance(error, DBAPIError):
        if error.connection_invalidated or isinstance(error, OperationalError):
            return True
        return _is_transient_state(getattr(error.orig, "sqlstate", None))
    return False


def _is_transient_state(state: str | None) -> bool:
    return state is not None and (state[:2] in TRANSIENT_CLASSES or state in TRANSIENT_STATES)
