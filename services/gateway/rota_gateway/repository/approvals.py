"""Calls that wait for a person, and what was decided."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from rota_gateway.repository.connection import Connection, Row, decoded, row, rows, run

# Until the run goes on, what a person said is in the decisions alone.
STATUS = """
    CASE WHEN p.status <> 'pending' THEN p.status
         WHEN d.decision IS NOT NULL THEN d.decision
         WHEN p.expires_at <= statement_timestamp() THEN 'expired'
         ELSE 'pending' END
"""

SELECT = f"""
    SELECT p.id, p.run_id, p.context_id, r.schedule_id AS job_id, r.job_name, r.agent_name,
           p.tool_call_id, p.tool_name, CAST(p.arguments AS text) AS arguments, p.reason,
           {STATUS} AS status, p.expires_at, p.expiry_action, p.created_at,
           CAST(d.arguments AS text) AS approved_arguments, coalesce(d.note, '') AS note, d.decided_by, d.decided_at,
           g.id AS grant_id, r.scheduled_for, r.attempt, r.agent_revision, r.prompt
    FROM pending_actions p
    JOIN agent_execution_results r ON r.run_id = p.run_id
    LEFT JOIN approval_decisions d ON d.action_id = p.id
    LEFT JOIN approval_grants g ON g.action_id = p.id
"""


async def page(
    connection: Connection,
    after: tuple[datetime, UUID] | None,
    limit: int,
    *,
    context_id: UUID | None,
    status: str | None,
) -> list[Row]:
    """Newest first."""
    found = await rows(
        connection,
        f"""
        SELECT * FROM ({SELECT}) a
        WHERE (CAST(:context_id AS uuid) IS NULL OR a.context_id = :context_id)
          AND (CAST(:status AS text) IS NULL OR a.status = :status)
          AND (CAST(:at AS timestamptz) IS NULL OR (a.created_at, a.id) < (:at, CAST(:id AS uuid)))
        ORDER BY a.created_at DESC, a.id DESC LIMIT :limit
        """,
        context_id=context_id,
        status=status,
        at=after and after[0],
        id=after and after[1],
        limit=limit,
    )
    return [_shown(one) for one in found]


async def find(connection: Connection, action_id: UUID) -> Row | None:
    found = await row(connection, f"{SELECT} WHERE p.id = :id", id=action_id)
    return found and _shown(found)


async def lock_run(connection: Connection, run_id: UUID) -> None:
    """Whoever decides on calls of the run goes one after the other: the last one lets it go on."""
    await rows(
        connection, "SELECT pg_advisory_xact_lock(hashtextextended(:key, 0))", key=f"approval {run_id}"
    )


async def decide(
    connection: Connection,
    action: Row,
    decision: str,
    *,
    user_id: UUID,
    note: str,
    arguments: Mapping[str, Any] | None,
) -> None:
    await run(
        connection,
        """
        INSERT INTO approval_decisions (action_id, run_id, context_id, decision, arguments, note, decided_by)
        VALUES (:action_id, :run_id, :context_id, :decision, CAST(:arguments AS jsonb), :note, :user_id)
        """,
        action_id=action["id"],
        run_id=action["run_id"],
        context_id=action["context_id"],
        decision=decision,
        arguments=None if arguments is None else json.dumps(arguments),
        note=note,
        user_id=user_id,
    )


async def resume(connection: Connection, action: Row) -> bool:
    """Lets the run go on, when nothing of it waits any more; whether it does."""
    added = await run(
        connection,
        """
        INSERT INTO run_resumptions (run_id, attempt, context_id, scheduled_for)
        SELECT :run_id, :attempt, :context_id, :scheduled_for
        WHERE NOT EXISTS (
            SELECT 1 FROM pending_actions p
            WHERE p.run_id = :run_id AND p.status = 'pending'
              AND NOT EXISTS (SELECT 1 FROM approval_decisions d WHERE d.action_id = p.id))
        ON CONFLICT DO NOTHING
        """,
        run_id=action["run_id"],
        attempt=action["attempt"],
        context_id=action["context_id"],
        scheduled_for=action["scheduled_for"],
    )
    return added == 1


def _shown(action: Row) -> Row:
    return {name: decoded(value) if name.endswith("arguments") else value for name, value in action.items()}
