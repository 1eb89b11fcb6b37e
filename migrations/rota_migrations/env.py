"""Alembic's environment: asynchronous, one transaction for all revisions."""

import asyncio
import re

from alembic import context
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import create_async_engine

from rota_store.tables import metadata

# Two migrators at once wait for each other on this lock.
MIGRATION_LOCK = 0x524F5441


# The months of the ledger come and go.
PARTITION = re.compile(r"occurrences_(others|\d{4}_\d{2})")


def migrate(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=metadata,
        compare_server_default=False,
        include_name=lambda name, kind, _parents: kind != "table" or not PARTITION.fullmatch(name or ""),
    )
    with context.begin_transaction():
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK})")
        context.run_migrations()


async def main() -> None:
    url: str = context.config.attributes["url"]
    engine = create_async_engine(url.replace("postgresql://", "postgresql+asyncpg://", 1))
    async with engine.connect() as connection:
        await connection.run_sync(migrate)
        await connection.commit()
    await engine.dispose()


asyncio.run(main())
