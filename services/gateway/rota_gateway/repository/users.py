from uuid import UUID

from rota_gateway.repository.connection import Connection, row, run


async def hold_bootstrap(connection: Connection) -> None:
    """Two bootstraps at the same time go one after the other."""
    await run(connection, "SELECT pg_advisory_xact_lock(hashtextextended('rota/bootstrap', 0))")


async def ensure_admin(connection: Connection, email: str, display_name: str) -> UUID:
    """The administrator of that address, made where there is none."""
    found = await row(
        connection,
        """
        INSERT INTO users (email, display_name, is_admin) VALUES (:email, :display_name, true)
        ON CONFLICT (email) DO UPDATE SET is_admin = true RETURNING id
        """,
        email=email,
        display_name=display_name,
    )
    assert found is not None
    user_id: UUID = found["id"]
    return user_id
