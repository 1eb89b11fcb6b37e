"""Every SQL statement of results."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from rota_contracts.events import JobCompleted, PendingAction, RunStatus
from rota_results import domain
from rota_store import Connection, Database

# A result of a deleted context is dropped with it; of a deleted job it stays, without the reference.
# A later attempt replaces an earlier one, never the other way round.
RECORD = """
    INSERT INTO agent_execution_results AS t
        (run_id, context_id, user_id, schedule_id, job_name, agent_name, agent_revision, prompt, result_content,
         status, error_kind, error_message, pending_actions_created, execution_duration_ms, metadata, usage,
         attempt, trigger, session_id, scheduled_for, started_at, completed_at)
    SELECT r.run_id, r.context_id, u.id, j.id, r.job_name, r.agent_name, r.agent_revision, r.prompt,
           r.result_content, r.status, r.error_kind, r.error_message, r.pending_actions_created,
           r.execution_duration_ms, r.metadata, r.usage, r.attempt, r.trigger, r.session_id, r.scheduled_for,
           r.started_at, r.completed_at
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r (
            run_id uuid, context_id uuid, user_id uuid, schedule_id uuid, job_name text, agent_name text,
            agent_revision int, prompt text, result_content text, status text, error_kind text,
            error_message text, pending_actions_created int, execution_duration_ms bigint, metadata jsonb,
            usage jsonb, attempt int, trigger text, session_id uuid, scheduled_for timestamptz,
            started_at timestamptz, completed_at timestamptz)
    JOIN contexts c ON c.id = r.context_id
    LEFT JOIN scheduled_jobs j ON j.id = r.schedule_id
    LEFT JOIN users u ON u.id = r.user_id
    ORDER BY r.run_id
    ON CONFLICT (run_id) DO UPDATE
    SET agent_revision = excluded.agent_revision, result_content = excluded.result_content,
        status = excluded.status, error_kind = excluded.error_kind, error_message = excluded.error_message,
        pending_actions_created = excluded.pending_actions_created,
        execution_duration_ms = excluded.execution_duration_ms, metadata = excluded.metadata,
        usage = excluded.usage, attempt = excluded.attempt, session_id = excluded.session_id,
        started_at = excluded.started_at, completed_at = excluded.completed_at, announced_at = NULL
    WHERE excluded.attempt > t.attempt
    RETURNING run_id, (xmax = 0) AS is_new
"""

COUNT = """
    INSERT INTO job_statistics AS t
        (job_id, run_count, error_count, consecutive_failures, last_run_id, last_run_at, last_run_status,
         last_run_result, last_run_duration_ms)
    SELECT r.job_id, r.run_count, r.error_count, r.trailing_failures, r.last_run_id, r.last_run_at,
           r.last_run_status, r.last_run_result, r.last_run_duration_ms
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r (
            job_id uuid, run_count bigint, error_count bigint, trailing_failures int, last_run_id uuid,
            last_run_at timestamptz, last_run_status text, last_run_result text, last_run_duration_ms bigint)
    JOIN scheduled_jobs j ON j.id = r.job_id
    ORDER BY r.job_id
    ON CONFLICT (job_id) DO UPDATE
    SET run_count = t.run_count + excluded.run_count,
        error_count = t.error_count + excluded.error_count,
        consecutive_failures = excluded.consecutive_failures
            + CASE WHEN excluded.consecutive_failures = excluded.run_count THEN t.consecutive_failures ELSE 0 END,
        last_run_id = CASE WHEN {newer} THEN excluded.last_run_id ELSE t.last_run_id END,
        last_run_status = CASE WHEN {newer} THEN excluded.last_run_status ELSE t.last_run_status END,
        last_run_result = CASE WHEN {newer} THEN excluded.last_run_result ELSE t.last_run_result END,
        last_run_duration_ms = CASE WHEN {newer} THEN excluded.last_run_duration_ms ELSE t.last_run_duration_ms END,
        last_run_at = greatest(t.last_run_at, excluded.last_run_at)
""".format(newer="(t.last_run_at IS NULL OR excluded.last_run_at >= t.last_run_at)")

CONVERSE = """
    WITH attempts AS (
        SELECT a.session_id, a.context_id, a.run_id, u.agent_name, a.transcript
        FROM unnest(CAST(:run_ids AS uuid[]), CAST(:attempts AS int[]), CAST(:agent_names AS text[]))
            AS u (run_id, attempt, agent_name)
        JOIN run_attempts a ON a.run_id = u.run_id AND a.attempt = u.attempt
        WHERE a.transcript IS NOT NULL
    ), begun AS (
        INSERT INTO conversations (session_id, context_id, run_id, agent_name)
        SELECT session_id, context_id, run_id, agent_name FROM attempts
        ON CONFLICT DO NOTHING RETURNING session_id
    )
    INSERT INTO conversation_messages (session_id, position, role, content)
    SELECT b.session_id, m.position, m.message ->> 'role', coalesce(m.message ->> 'content', '')
    FROM begun b JOIN attempts a USING (session_id)
    CROSS JOIN LATERAL jsonb_array_elements(a.transcript) WITH ORDINALITY AS m (message, position)
    ON CONFLICT DO NOTHING
"""

ASK = """
    INSERT INTO pending_actions (context_id, run_id, tool_call_id, tool_name, arguments)
    SELECT r.context_id, r.run_id, r.tool_call_id, r.tool_name, r.arguments
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r (
            context_id uuid, run_id uuid, tool_call_id text, tool_name text, arguments jsonb)
    JOIN agent_execution_results t ON t.run_id = r.run_id
    ON CONFLICT DO NOTHING
"""

UNANNOUNCED = """
    SELECT t.run_id, coalesce(t.schedule_id, a.job_id), t.context_id, t.attempt, t.status, t.job_name, t.user_id,
           coalesce((SELECT jsonb_agg(jsonb_build_object('tool_call_id', p.tool_call_id, 'tool_name', p.tool_name,
                                                         'arguments', p.arguments) ORDER BY p.created_at)
                     FROM pending_actions p WHERE p.run_id = t.run_id), '[]')
    FROM agent_execution_results t
    LEFT JOIN run_attempts a ON a.run_id = t.run_id AND a.attempt = t.attempt
    WHERE t.announced_at IS NULL AND coalesce(t.schedule_id, a.job_id) IS NOT NULL
      AND (t.run_id = ANY (CAST(:fresh AS uuid[]))
                                      OR t.created_at < clock_timestamp() - interval '5 seconds')
    ORDER BY t.created_at LIMIT 500
"""

# Final outcomes that no result stands for: their event was lost with the stream.
UNRECORDED = """
    SELECT CAST(a.outcome AS text)
    FROM run_attempts a
    WHERE a.state = 'ended' AND a.ended_at > :since AND a.ended_at < clock_timestamp() - interval '5 seconds'
      AND CAST(a.outcome ->> 'final' AS boolean)
      AND NOT EXISTS (SELECT 1 FROM agent_execution_results t WHERE t.run_id = a.run_id)
    ORDER BY a.ended_at LIMIT :limit
"""
MAX_SWEPT = 500


@dataclass(frozen=True)
class Unannounced:
    """A stored result that result.recorded was not confirmed for."""

    run_id: UUID
    job_id: UUID
    context_id: UUID
    attempt: int
    status: RunStatus
    job_name: str
    owner_id: UUID | None
    actions: list[PendingAction]


class Repository:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def record(self, events: Sequence[JobCompleted]) -> set[UUID]:
        """Stores a batch of final outcomes in one transaction; the runs that were recorded, not known before."""
        async with self._database.transaction() as connection:
            recorded = await _record(connection, events)
            stored = [event for event in events if event.run_id in recorded]
            if stored:
                await _count(connection, [event for event in stored if recorded[event.run_id]])
                await _converse(connection, stored)
                await _ask(connection, stored)
        return set(recorded)

    async def unannounced(self, fresh: Sequence[UUID]) -> list[Unannounced]:
        rows = await self._database.fetch(UNANNOUNCED, {"fresh": list(fresh)})
        return [Unannounced(*[*row[:7], _actions(row[7])]) for row in rows]

    async def mark_announced(self, run_ids: Sequence[UUID]) -> None:
        await self._database.execute(
            "UPDATE agent_execution_results SET announced_at = clock_timestamp()"
            " WHERE run_id = ANY (CAST(:run_ids AS uuid[]))",
            {"run_ids": list(run_ids)},
        )

    async def now(self) -> datetime:
        rows = await self._database.fetch("SELECT clock_timestamp()")
        moment: datetime = rows[0][0]
        return moment

    async def unrecorded(self, since: datetime) -> list[bytes]:
        """The payloads of final outcomes since then that have no result."""
        rows = await self._database.fetch(UNRECORDED, {"since": since, "limit": MAX_SWEPT})
        return [row[0].encode() for row in rows]


def _actions(document: str) -> list[PendingAction]:
    return [PendingAction(**action) for action in json.loads(document)]


async def _record(connection: Connection, events: Sequence[JobCompleted]) -> dict[UUID, bool]:
    rows = [domain.result_row(event) for event in events]
    recorded = await connection.fetch(RECORD, {"rows": json.dumps(rows)})
    return {row.run_id: row.is_new for row in recorded}


async def _count(connection: Connection, events: Sequence[JobCompleted]) -> None:
    await connection.execute(COUNT, {"rows": json.dumps(domain.statistics_rows(events))})


async def _converse(connection: Connection, events: Sequence[JobCompleted]) -> None:
    values: dict[str, Any] = {
        "run_ids": [event.run_id for event in events],
        "attempts": [event.attempt for event in events],
        "agent_names": [event.agent_name for event in events],
    }
    await connection.execute(CONVERSE, values)


async def _ask(connection: Connection, events: Sequence[JobCompleted]) -> None:
    if rows := [row for event in events for row in domain.pending_action_rows(event)]:
        await connection.execute(ASK, {"rows": json.dumps(rows)})
