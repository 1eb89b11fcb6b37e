"""What runs came to, with their conversations, their pending actions and the statistics of their jobs."""

import json
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from rota_contracts.events import JobCompleted
from rota_contracts.values import PendingAction, RunStatus
from rota_results import domain
from rota_results.repository.usage import RETENTION as FORGET_USAGE
from rota_results.repository.usage import spend, spend_of_lost
from rota_store import Connection, Database

# A result of a deleted context is dropped with it; of a deleted job it stays, without the reference.
# A later attempt replaces an earlier one, never the other way round. What is known already is not even locked.
RECORD = """
    WITH recorded AS (
        INSERT INTO agent_execution_results AS t
            (run_id, context_id, user_id, schedule_id, job_name, agent_name, agent_revision, prompt, result_content,
             status, error_kind, error_message, pending_actions_created, execution_duration_ms, metadata, usage,
             outcome_status, outcome_summary, outcome_severity, outcome_fingerprint, attempt, trigger, session_id, scheduled_for, started_at, completed_at)
        SELECT r.run_id, r.context_id, u.id, j.id, r.job_name, r.agent_name, r.agent_revision, r.prompt,
               r.result_content, r.status, r.error_kind, r.error_message, r.pending_actions_created,
               r.execution_duration_ms, CAST(r.metadata AS jsonb), CAST(r.usage AS jsonb), r.outcome_status,
               r.outcome_summary, r.outcome_severity, r.outcome_fingerprint, r.attempt, r.trigger, r.session_id,
               r.scheduled_for, r.started_at, r.completed_at
        FROM unnest(CAST(:run_id AS uuid[]), CAST(:context_id AS uuid[]), CAST(:user_id AS uuid[]),
                    CAST(:schedule_id AS uuid[]), CAST(:job_name AS text[]), CAST(:agent_name AS text[]),
                    CAST(:agent_revision AS int[]), CAST(:prompt AS text[]), CAST(:result_content AS text[]),
                    CAST(:status AS text[]), CAST(:error_kind AS text[]), CAST(:error_message AS text[]),
                    CAST(:pending_actions_created AS int[]), CAST(:execution_duration_ms AS bigint[]),
                    CAST(:metadata AS text[]), CAST(:usage AS text[]),
                    CAST(:outcome_status AS text[]), CAST(:outcome_summary AS text[]),
                    CAST(:outcome_severity AS text[]), CAST(:outcome_fingerprint AS text[]), CAST(:attempt AS int[]),
                    CAST(:trigger AS text[]), CAST(:session_id AS uuid[]), CAST(:scheduled_for AS timestamptz[]),
                    CAST(:started_at AS timestamptz[]), CAST(:completed_at AS timestamptz[]))
            AS r (run_id, context_id, user_id, schedule_id, job_name, agent_name, agent_revision, prompt,
                  result_content, status, error_kind, error_message, pending_actions_created,
                  execution_duration_ms, metadata, usage, outcome_status, outcome_summary, outcome_severity,
                  outcome_fingerprint, attempt, trigger, session_id, scheduled_for, started_at, completed_at)
        JOIN contexts c ON c.id = ANY (ARRAY[r.context_id])
        LEFT JOIN scheduled_jobs j ON j.id = ANY (ARRAY[r.schedule_id])
        LEFT JOIN users u ON u.id = ANY (ARRAY[r.user_id])
        WHERE NOT EXISTS (
            SELECT 1 FROM agent_execution_results k WHERE k.run_id = ANY (ARRAY[r.run_id]) AND k.attempt >= r.attempt)
        ORDER BY r.run_id
        ON CONFLICT (run_id) DO UPDATE
        SET agent_revision = excluded.agent_revision, result_content = excluded.result_content,
            status = excluded.status, error_kind = excluded.error_kind, error_message = excluded.error_message,
            pending_actions_created = excluded.pending_actions_created,
            execution_duration_ms = excluded.execution_duration_ms, metadata = excluded.metadata,
            usage = excluded.usage, outcome_status = excluded.outcome_status,
            outcome_summary = excluded.outcome_summary, outcome_severity = excluded.outcome_severity,
            outcome_fingerprint = excluded.outcome_fingerprint, attempt = excluded.attempt, session_id = excluded.session_id,
            started_at = excluded.started_at, completed_at = excluded.completed_at
        WHERE excluded.attempt > t.attempt
        RETURNING run_id, (xmax = 0) AS is_new
    ), unannounced AS (
        INSERT INTO unannounced_results (id, run_ids)
        SELECT CAST(:batch AS uuid), array_agg(run_id) FROM recorded HAVING count(*) > 0
    )
    SELECT run_id, is_new FROM recorded
"""

COUNT = """
    INSERT INTO job_statistics AS t
        (job_id, context_id, run_count, error_count, consecutive_failures, last_run_id, last_run_at, last_run_status,
         last_run_result, last_run_duration_ms)
    SELECT r.job_id, j.context_id, r.run_count, r.error_count, r.trailing_failures, r.last_run_id, r.last_run_at,
           r.last_run_status, r.last_run_result, r.last_run_duration_ms
    FROM unnest(CAST(:job_id AS uuid[]), CAST(:run_count AS bigint[]), CAST(:error_count AS bigint[]),
                CAST(:trailing_failures AS int[]), CAST(:last_run_id AS uuid[]),
                CAST(:last_run_at AS timestamptz[]), CAST(:last_run_status AS text[]),
                CAST(:last_run_result AS text[]), CAST(:last_run_duration_ms AS bigint[]))
        AS r (job_id, run_count, error_count, trailing_failures, last_run_id, last_run_at, last_run_status,
              last_run_result, last_run_duration_ms)
    JOIN scheduled_jobs j ON j.id = ANY (ARRAY[r.job_id])
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
        JOIN run_attempts a ON a.run_id = ANY (ARRAY[u.run_id]) AND a.attempt = u.attempt
        WHERE a.transcript IS NOT NULL
    ), begun AS (
        INSERT INTO conversations (session_id, context_id, run_id, agent_name)
        SELECT session_id, context_id, run_id, agent_name FROM attempts
        ON CONFLICT DO NOTHING RETURNING session_id
    )
    INSERT INTO conversation_messages
        (session_id, position, role, content, started_at, duration_ms, input_tokens, output_tokens, model, tool_name,
         tool_call_id, arguments, status)
    SELECT b.session_id, coalesce(m.position, m.number), m.role, coalesce(m.content, ''), m.started_at, m.duration_ms,
           m.input_tokens, m.output_tokens, m.model, m.tool_name, m.tool_call_id, m.arguments, m.status
    FROM begun b JOIN attempts a USING (session_id)
    CROSS JOIN LATERAL ROWS FROM (
        jsonb_to_recordset(a.transcript) AS (
            position int, role text, content text, started_at timestamptz, duration_ms bigint, input_tokens bigint,
            output_tokens bigint, model text, tool_name text, tool_call_id text, arguments jsonb, status text)
    ) WITH ORDINALITY AS m (
        position, role, content, started_at, duration_ms, input_tokens, output_tokens, model, tool_name, tool_call_id,
        arguments, status, number)
    ON CONFLICT DO NOTHING
"""

# How long a call waits is as the job says, else its agent, else the setting. People are reminded an hour
# before the end, or at half time where that is later.
ASK = """
    INSERT INTO pending_actions
        (context_id, run_id, tool_call_id, tool_name, arguments, reason, expires_at, remind_at, expiry_action)
    SELECT r.context_id, r.run_id, r.tool_call_id, r.tool_name, r.arguments, r.reason, e.now + e.expiry,
           e.now + e.expiry - least(interval '1 hour', e.expiry / 2), e.action
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r (
            context_id uuid, run_id uuid, tool_call_id text, tool_name text, arguments jsonb, reason text)
    JOIN agent_execution_results t ON t.run_id = ANY (ARRAY[r.run_id])
    LEFT JOIN scheduled_jobs j ON j.id = ANY (ARRAY[t.schedule_id])
    LEFT JOIN LATERAL (
        SELECT c.approval_expiry_seconds, c.approval_expiry_action FROM agent_configurations c
        WHERE c.name = t.agent_name AND (c.context_id = t.context_id OR c.context_id IS NULL)
        ORDER BY c.context_id NULLS LAST LIMIT 1) a ON true
    CROSS JOIN LATERAL (
        SELECT clock_timestamp() AS now,
               coalesce(j.approval_expiry_action, a.approval_expiry_action, 'deny') AS action,
               make_interval(secs => coalesce(j.approval_expiry_seconds, a.approval_expiry_seconds,
                                              CAST(:expiry_seconds AS double precision))) AS expiry) e
    ON CONFLICT DO NOTHING
"""

# The run went on: what became of the calls that it had waited for.
SETTLE = """
    UPDATE pending_actions p
    SET status = coalesce((SELECT d.decision FROM approval_decisions d WHERE d.action_id = p.id), 'expired')
    WHERE p.run_id = ANY (CAST(:run_ids AS uuid[])) AND p.status || '' = 'pending'
"""

# Those that are gone with their context have no results any more.
UNANNOUNCED = """
    SELECT u.id, t.run_id, coalesce(t.schedule_id, a.job_id), t.context_id, t.attempt, t.status, t.job_name, t.user_id,
           coalesce((SELECT jsonb_agg(jsonb_build_object('tool_call_id', p.tool_call_id, 'tool_name', p.tool_name,
                                                         'arguments', p.arguments, 'reason', p.reason) ORDER BY p.created_at)
                     FROM pending_actions p WHERE p.run_id = t.run_id), '[]')
    FROM (SELECT id, run_ids FROM unannounced_results
          WHERE created_at < clock_timestamp() - interval '5 seconds' ORDER BY created_at LIMIT 5) u
    LEFT JOIN (agent_execution_results t
               JOIN run_attempts a ON a.run_id = ANY (ARRAY[t.run_id]) AND a.attempt = t.attempt)
        ON t.run_id = ANY (u.run_ids)
"""

MARK_ANNOUNCED = "DELETE FROM unannounced_results WHERE id = ANY (CAST(:batches AS uuid[]))"

# Of runs that are about to be recorded again: those that are counted as failed.
FAILED = """
    SELECT run_id FROM agent_execution_results WHERE run_id = ANY (CAST(:run_ids AS uuid[])) AND status = 'error'
"""

# Final outcomes that no result stands for: their event was lost with the stream.
UNRECORDED = """
    SELECT CAST(a.outcome AS text)
    FROM run_attempts a
    WHERE a.state = 'ended' AND a.ended_at > :since AND a.ended_at < clock_timestamp() - interval '5 seconds'
      AND CAST(a.outcome ->> 'final' AS boolean)
      AND NOT EXISTS (SELECT 1 FROM agent_execution_results t WHERE t.run_id = ANY (ARRAY[a.run_id]) AND t.attempt >= a.attempt)
    ORDER BY a.ended_at LIMIT :limit
"""
MAX_SWEPT = 500

# The conversation goes with the result, its messages with it. What the statistics tell of the last run stays.
RETENTION = {
    "model_usage": FORGET_USAGE,
    "agent_execution_results": """
        WITH old AS MATERIALIZED (
            SELECT r.run_id, r.schedule_id FROM agent_execution_results r
            WHERE r.created_at < statement_timestamp() - CAST(:retention AS interval)
              AND NOT EXISTS (SELECT 1 FROM occurrences o WHERE o.run_id = ANY (ARRAY[r.run_id])
                              AND o.scheduled_for IS NOT DISTINCT FROM r.scheduled_for AND o.state <> 'closed')
            ORDER BY r.created_at, r.run_id LIMIT :limit FOR UPDATE OF r SKIP LOCKED
        ), talk AS (
            DELETE FROM conversations c USING old WHERE c.run_id = ANY (ARRAY[old.run_id])
        ), last AS (
            UPDATE job_statistics s SET last_run_id = NULL
            FROM old WHERE s.job_id = ANY (ARRAY[old.schedule_id]) AND s.last_run_id = old.run_id
        ), gone AS (
            DELETE FROM agent_execution_results r USING old WHERE r.run_id = ANY (ARRAY[old.run_id])
        )
        SELECT count(*) FROM old
    """,
}


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
    def __init__(self, database: Database, *, expiry_seconds: float = 86_400) -> None:
        """What waits for a person expires after so long."""
        self._database = database
        self._expiry_seconds = expiry_seconds

    async def record(
        self, events: Sequence[JobCompleted], batch: UUID, spending: Sequence[JobCompleted] = ()
    ) -> set[UUID]:
        """Stores a batch of final outcomes in one transaction; the runs that were recorded, not known before.

        Those are to be announced, as `batch`. With what attempts spent, also those that are no outcome.
        """
        async with self._database.transaction() as connection:
            if spending:
                await spend(connection, spending)
            if not events:
                return set()
            failed = await _failed(connection, events)
            recorded = await _record(connection, events, batch)
            stored = [event for event in events if event.run_id in recorded]
            if stored:
                if counted := [event for event in stored if event.trigger != "dry_run"]:
                    known = {run for run, is_new in recorded.items() if not is_new}
                    await _count(connection, counted, known=known, failed=failed)
                await _converse(connection, stored)
                await _settle(connection, stored)
                await _ask(connection, stored, self._expiry_seconds)
        return set(recorded)

    async def unannounced(self) -> dict[UUID, list[Unannounced]]:
        """Batches that nobody has announced within 5 seconds, and what there still is of them."""
        batches: dict[UUID, list[Unannounced]] = {}
        for row in await self._database.fetch(UNANNOUNCED):
            results = batches.setdefault(row[0], [])
            if row[1] is not None:
                results.append(Unannounced(*[*row[1:8], _actions(row[8])]))
        return batches

    async def mark_announced(self, batches: Sequence[UUID]) -> None:
        await self._database.execute(MARK_ANNOUNCED, {"batches": list(batches)})

    async def now(self) -> datetime:
        rows = await self._database.fetch("SELECT clock_timestamp()")
        moment: datetime = rows[0][0]
        return moment

    async def spend_of_lost(self, since: datetime) -> int:
        """Adds what attempts without an outcome have spent since then; how many rows."""
        return await spend_of_lost(self._database, since, MAX_SWEPT)

    async def unrecorded(self, since: datetime) -> list[bytes]:
        """The payloads of final outcomes since then that have no result."""
        rows = await self._database.fetch(UNRECORDED, {"since": since, "limit": MAX_SWEPT})
        return [row[0].encode() for row in rows]


def _actions(document: str) -> list[PendingAction]:
    return [PendingAction(**action) for action in json.loads(document)]


async def _record(connection: Connection, events: Sequence[JobCompleted], batch: UUID) -> dict[UUID, bool]:
    recorded = await connection.fetch(RECORD, {**domain.result_columns(events), "batch": batch})
    return {row[0]: row[1] for row in recorded}


async def _failed(connection: Connection, events: Sequence[JobCompleted]) -> set[UUID]:
    # The first attempt follows no other.
    later = [event.run_id for event in events if event.attempt > 1]
    return {row[0] for row in await connection.fetch(FAILED, {"run_ids": later})} if later else set()


async def _count(
    connection: Connection,
    events: Sequence[JobCompleted],
    *,
    known: AbstractSet[UUID],
    failed: AbstractSet[UUID],
) -> None:
    await connection.execute(COUNT, domain.statistics_columns(events, known, failed))


async def _converse(connection: Connection, events: Sequence[JobCompleted]) -> None:
    # A tool alone holds no conversation.
    spoken = [event for event in events if event.tool is None]
    if not spoken:
        return
    values: dict[str, Any] = {
        "run_ids": [event.run_id for event in spoken],
        "attempts": [event.attempt for event in spoken],
        "agent_names": [event.agent_name for event in spoken],
    }
    await connection.execute(CONVERSE, values)


async def _settle(connection: Connection, events: Sequence[JobCompleted]) -> None:
    # The first attempt has waited for nobody.
    if later := [event.run_id for event in events if event.attempt > 1]:
        await connection.execute(SETTLE, {"run_ids": later})


async def _ask(connection: Connection, events: Sequence[JobCompleted], expiry_seconds: float) -> None:
    if rows := [row for event in events for row in domain.pending_action_rows(event)]:
        await connection.execute(ASK, {"rows": json.dumps(rows), "expiry_seconds": expiry_seconds})
