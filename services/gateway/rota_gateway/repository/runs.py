from datetime import datetime
from typing import Any
from uuid import UUID

from rota_gateway.repository.connection import Connection, Row, decoded, row, rows
from rota_gateway.repository.occurrences import STATE

JSON_COLUMNS = ("usage", "metadata", "attempts", "pending_actions", "deliveries")

# Every run that there is a trace of: its result, else its occurrence, else the request for it.
SELECT = f"""
    SELECT r.run_id, r.schedule_id AS job_id, r.schedule_id, r.job_name, r.context_id, r.agent_name, r.prompt,
           r.status, coalesce({STATE}, 'closed') AS state,
           CASE WHEN o.run_id IS NULL THEN 'ran' ELSE o.disposition END AS disposition, o.reason_code, o.reason,
           r.result_content, r.error_kind, r.error_message,
           r.outcome_status, r.outcome_summary, r.outcome_severity, r.outcome_fingerprint,
           r.attempt, r.execution_duration_ms, r.pending_actions_created, r.usage, r.session_id, r.trigger,
           r.scheduled_for, r.started_at, r.completed_at, r.metadata, r.created_at
    FROM agent_execution_results r
    LEFT JOIN occurrences o ON o.run_id = r.run_id AND o.scheduled_for = r.scheduled_for
"""
# Where a run that has no result is known: in the ledger, else by the request for it.
KNOWN = """
    SELECT run_id, job_id, context_id, created_at, scheduled_for, trigger FROM occurrences WHERE run_id = :run_id
    UNION ALL
    SELECT run_id, job_id, context_id, created_at, coalesce(scheduled_for, created_at), trigger
    FROM run_requests WHERE run_id = :run_id
    LIMIT 1
"""
SELECT_OPEN = f"""
    SELECT w.run_id, j.id AS job_id, j.id AS schedule_id, j.name AS job_name, w.context_id, j.agent_name,
           j.skill_prompt AS prompt, NULL AS status, coalesce({STATE}, 'queued') AS state,
           o.disposition, o.reason_code, o.reason, '' AS result_content, NULL AS error_kind, NULL AS error_message,
           NULL AS outcome_status, '' AS outcome_summary, NULL AS outcome_severity, '' AS outcome_fingerprint,
           coalesce(o.attempt, 1) AS attempt, NULL AS execution_duration_ms, 0 AS pending_actions_created,
           CAST('{{}}' AS jsonb) AS usage, NULL AS session_id, w.trigger, w.scheduled_for, o.started_at, NULL AS completed_at,
           CAST('{{}}' AS jsonb) AS metadata, w.created_at
    FROM ({KNOWN}) AS w
    LEFT JOIN occurrences o ON o.run_id = w.run_id AND o.scheduled_for = w.scheduled_for
    LEFT JOIN scheduled_jobs j ON j.id = w.job_id
"""
DETAILS = """
    SELECT run.*,
        coalesce((
            SELECT jsonb_agg(jsonb_build_object(
                'attempt', a.attempt, 'state', a.state, 'executor', a.executor, 'session_id', a.session_id,
                'started_at', a.started_at, 'ended_at', a.ended_at,
                'status', a.outcome ->> 'status', 'error_kind', a.outcome ->> 'error_kind',
                'error_message', a.outcome ->> 'error_message') ORDER BY a.attempt)
            FROM run_attempts a WHERE a.run_id = run.run_id), '[]') AS attempts,
        coalesce((
            SELECT jsonb_agg(jsonb_build_object(
                'id', p.id, 'tool_call_id', p.tool_call_id, 'tool_name', p.tool_name,
                'arguments', p.arguments, 'reason', p.reason, 'status', p.status, 'expires_at', p.expires_at,
                'created_at', p.created_at) ORDER BY p.created_at, p.id)
            FROM pending_actions p WHERE p.run_id = run.run_id), '[]') AS pending_actions,
        coalesce((
            SELECT jsonb_agg(jsonb_build_object(
                'category', n.category, 'channel', d.channel, 'target', d.target, 'state', d.state,
                'reason', d.reason, 'attempts', d.attempts, 'updated_at', d.updated_at)
                ORDER BY n.category, d.channel)
            FROM notifications n CROSS JOIN LATERAL (
                SELECT 'in_app' AS channel, NULL AS target, 'delivered' AS state, NULL AS reason,
                       0 AS attempts, n.created_at AS updated_at
                UNION ALL
                SELECT o.channel, o.target, o.state, o.reason, o.attempts, o.updated_at
                FROM deliveries o WHERE o.notification_id = n.id) d
            WHERE n.run_id = run.run_id), '[]') AS deliveries
    FROM ({source}) AS run WHERE run.run_id = :run_id
"""


async def page(
    connection: Connection,
    after: tuple[datetime, UUID] | None,
    limit: int,
    *,
    context_id: UUID | None = None,
    job_id: UUID | None = None,
    status: str | None = None,
    outcome_status: str | None = None,
) -> list[Row]:
    """Results, newest first."""
    created_at, run_id = after or (None, None)
    filters = {
        "r.context_id = :context_id": context_id,
        "r.schedule_id = :job_id": job_id,
        "r.status = :status": status,
        "r.outcome_status = :outcome_status": outcome_status,
        "(r.created_at, r.run_id) < (:created_at, :run_id)": created_at,
    }
    conditions = " AND ".join(["true", *(text for text, value in filters.items() if value is not None)])
    found = await rows(
        connection,
        f"{SELECT} WHERE {conditions} ORDER BY r.created_at DESC, r.run_id DESC LIMIT :limit",
        limit=limit,
        **_given(
            context_id=context_id,
            job_id=job_id,
            status=status,
            outcome_status=outcome_status,
            created_at=created_at,
            run_id=run_id,
        ),
    )
    return [_plain(one) for one in found]


async def get(connection: Connection, run_id: UUID) -> Row | None:
    """One run with its attempts, pending actions and deliveries."""
    for source in (SELECT, SELECT_OPEN):
        found = await row(connection, DETAILS.replace("{source}", source), run_id=run_id)
        if found is not None:
            return _plain(found)
    return None


def _given(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _plain(found: Row) -> Row:
    return {name: decoded(value) if name in JSON_COLUMNS else value for name, value in found.items()}
