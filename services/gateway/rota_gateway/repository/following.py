"""What is stored of a run while somebody follows it."""

from uuid import UUID

from rota_gateway.repository.connection import Connection, Row, decoded, rows


async def attempts(connection: Connection, run_id: UUID, after: int) -> list[Row]:
    """The attempts of a run; with the transcripts of those after that one."""
    found = await rows(
        connection,
        """
        SELECT attempt, state, session_id, started_at, outcome ->> 'status' AS status,
               CASE WHEN attempt > :after THEN transcript END AS transcript,
               CASE WHEN outcome ->> 'status' = 'partial'
                    THEN CAST(transcript -> -1 ->> 'position' AS integer) END AS last
        FROM run_attempts WHERE run_id = :run_id ORDER BY attempt
        """,
        run_id=run_id,
        after=after,
    )
    return [{**one, "transcript": decoded(one["transcript"])} for one in found]


async def conversation(connection: Connection, session_id: UUID) -> list[Row]:
    """The same of a run whose attempts are no longer kept: its last conversation, as one attempt."""
    found = await rows(
        connection,
        """
        SELECT r.attempt, 'ended' AS state, c.session_id, r.started_at, r.status, NULL AS last,
               (SELECT jsonb_agg(jsonb_strip_nulls(to_jsonb(m) - 'session_id' - 'created_at') ORDER BY m.position)
                FROM conversation_messages m WHERE m.session_id = c.session_id) AS transcript
        FROM conversations c JOIN agent_execution_results r ON r.run_id = c.run_id
        WHERE c.session_id = :session_id
        """,
        session_id=session_id,
    )
    return [{**one, "transcript": decoded(one["transcript"])} for one in found]
