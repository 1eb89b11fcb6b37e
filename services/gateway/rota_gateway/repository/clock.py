"""PostgreSQL's clock, which is the one that counts."""

from datetime import datetime, timedelta

from rota_gateway.repository.connection import Connection, row


async def now(connection: Connection) -> datetime:
    found = await row(connection, "SELECT clock_timestamp() AS now")
    assert found is not None
    moment: datetime = found["now"]
    return moment


async def in_days(connection: Connection, days: int) -> datetime:
    return await now(connection) + timedelta(days=days)
