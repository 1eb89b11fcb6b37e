from uuid import UUID

from rota_gateway.repository.connection import Connection, Row, decoded, row


async def get(connection: Connection, session_id: UUID) -> Row | None:
    """A conversation with its messages in order."""
    found = await row(
        connection,
        """
        SELECT c.session_id, c.run_id, c.context_id, c.agent_name, c.created_at,
            coalesce((
                SELECT jsonb_agg(to_jsonb(m) ORDER BY m.position)
                FROM conversation_messages m WHERE m.session_id = c.session_id), '[]') AS messages
        FROM conversations c WHERE c.session_id = :session_id
        """,
        session_id=session_id,
    )
    return {**found, "messages": decoded(found["messages"])} if found else None
