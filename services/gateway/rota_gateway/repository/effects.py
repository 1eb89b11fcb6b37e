"""Calls that write, as the executor entered them, and what people said of those that were interrupted."""

from datetime import datetime
from uuid import UUID

from rota_gateway.repository.connection import Connection, Row, decoded, row, rows, run

# `interrupted_attempt` is that in which the run ended so; null where it did not, or went on since. An attempt
# before the one that parked, `resumes`, is behind the run.
SELECT = """
    SELECT e.id, e.run_id, e.attempt, e.context_id, e.tool_name, CAST(e.arguments AS text) AS arguments,
           e.started_at, e.ended_at, e.state, r.schedule_id AS job_id, r.job_name, r.agent_name, r.scheduled_for,
           CASE WHEN r.error_kind = 'interrupted' AND NOT EXISTS (
                    SELECT 1 FROM run_resumptions w WHERE w.run_id = e.run_id AND w.attempt = r.attempt)
                THEN r.attempt END AS interrupted_attempt,
           coalesce(o.resumes, 0) AS resumes,
           d.decision, coalesce(d.note, '') AS note, d.decided_by, d.decided_at
    FROM tool_effects e
    JOIN agent_execution_results r ON r.run_id = e.run_id
    LEFT JOIN occurrences o ON o.run_id = r.run_id AND o.scheduled_for = r.scheduled_for
    LEFT JOIN effect_decisions d ON d.effect_id = e.id
"""
IS_OPEN = "f.interrupted_attempt IS NOT NULL AND f.state = 'started' AND f.decision IS NULL AND f.attempt > f.resumes"


async def page(
    connection: Connection,
    after: tuple[datetime, UUID] | None,
    limit: int,
    *,
    context_id: UUID | None,
    run_id: UUID | None,
    is_open: bool | None,
) -> list[Row]:
    """Newest first."""
    found = await rows(
        connection,
        f"""
        SELECT f.*, {IS_OPEN} AS is_open FROM ({SELECT}
            WHERE (CAST(:context_id AS uuid) IS NULL OR e.context_id = :context_id)
              AND (CAST(:run_id AS uuid) IS NULL OR e.run_id = :run_id)
              AND (CAST(:is_open AS boolean) IS NOT TRUE OR e.state = 'started')
              AND (CAST(:at AS timestamptz) IS NULL OR (e.started_at, e.id) < (:at, CAST(:id AS uuid)))) f
        WHERE CAST(:is_open AS boolean) IS NULL OR ({IS_OPEN}) = :is_open
        ORDER BY f.started_at DESC, f.id DESC LIMIT :limit
        """,
        context_id=context_id,
        run_id=run_id,
        is_open=is_open,
        at=after and after[0],
        id=after and after[1],
        limit=limit,
    )
    return [_shown(one) for one in found]


async def find(connection: Connection, effect_id: UUID) -> Row | None:
    found = await row(
        connection, f"SELECT f.*, {IS_OPEN} AS is_open FROM ({SELECT} WHERE e.id = :id) f", id=effect_id
    )
    return found and _shown(found)


async def decide(connection: Connection, effect: Row, decision: str, *, user_id: UUID, note: str) -> None:
    await run(
        connection,
        """
        INSERT INTO effect_decisions (effect_id, run_id, context_id, decision, note, decided_by)
        VALUES (:id, :run_id, :context_id, :decision, :note, :user_id)
        """,
        id=effect["id"],
        run_id=effect["run_id"],
        context_id=effect["context_id"],
        decision=decision,
        note=note,
        user_id=user_id,
    )


async def resume(connection: Connection, effect: Row) -> bool:
    """Lets the run go on, when nothing of it is open any more; whether it does.

    Without anything to repeat only one that parked before has something to go on from.
    """
    added = await run(
        connection,
        """
        INSERT INTO run_resumptions (run_id, attempt, context_id, scheduled_for)
        SELECT :run_id, :attempt, :context_id, :scheduled_for
        WHERE NOT EXISTS (
            SELECT 1 FROM tool_effects e
            WHERE e.run_id = :run_id AND e.state = 'started' AND e.attempt > :resumes
              AND NOT EXISTS (SELECT 1 FROM effect_decisions d WHERE d.effect_id = e.id))
          AND (:resumes > 0 OR EXISTS (
            SELECT 1 FROM effect_decisions d
            WHERE d.run_id = :run_id AND d.decision = 'repeated' AND NOT EXISTS (
                SELECT 1 FROM run_resumptions w JOIN tool_effects e ON e.id = d.effect_id
                WHERE w.run_id = d.run_id AND w.attempt >= e.attempt)))
        ON CONFLICT DO NOTHING
        """,
        run_id=effect["run_id"],
        attempt=effect["interrupted_attempt"],
        context_id=effect["context_id"],
        scheduled_for=effect["scheduled_for"],
        resumes=effect["resumes"],
    )
    return added == 1


def _shown(effect: Row) -> Row:
    return {**effect, "arguments": decoded(effect["arguments"])}
