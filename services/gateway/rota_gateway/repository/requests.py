"""What people ask of the ticker: runs, and the end of them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from rota_gateway.repository.connection import Connection, Row, row, rows, run


async def add_backfills(
    connection: Connection,
    instants: Mapping[UUID, datetime],
    *,
    job_id: UUID,
    context_id: UUID,
    user_id: UUID,
    overlap_policy: str,
) -> list[UUID]:
    """Asks for the runs that were not asked for before; their ids."""
    added = await rows(
        connection,
        """
        INSERT INTO run_requests (run_id, job_id, context_id, requested_by, trigger, scheduled_for, overlap_policy)
        SELECT u.run_id, :job_id, :context_id, :user_id, 'backfill', u.scheduled_for, :overlap_policy
        FROM unnest(CAST(:run_ids AS uuid[]), CAST(:instants AS timestamptz[])) AS u (run_id, scheduled_for)
        ON CONFLICT DO NOTHING RETURNING run_id
        """,
        job_id=job_id,
        context_id=context_id,
        user_id=user_id,
        overlap_policy=overlap_policy,
        run_ids=list(instants),
        instants=list(instants.values()),
    )
    return [one["run_id"] for one in added]


async def ran_on_schedule(
    connection: Connection, job_id: UUID, instants: Sequence[datetime], *, or_failed: bool
) -> set[datetime]:
    """Which of the instants ran when they were due, or are about to; with those whose run failed, or without."""
    found = await rows(
        connection,
        """
        SELECT o.scheduled_for FROM occurrences o
        WHERE o.job_id = :job_id AND o.trigger = 'schedule' AND o.scheduled_for BETWEEN :first AND :last
          AND (o.closed_at IS NULL OR o.disposition = 'ran' AND (:or_failed OR NOT EXISTS (
              SELECT 1 FROM agent_execution_results r WHERE r.run_id = o.run_id AND r.status = 'error')))
        """,
        job_id=job_id,
        first=min(instants),
        last=max(instants),
        or_failed=or_failed,
    )
    return {one["scheduled_for"] for one in found}.intersection(instants)


async def find_run(connection: Connection, run_id: UUID) -> Row | None:
    """Where a run is known: its place in the ledger, and whether it has ended."""
    return await row(
        connection,
        """
        SELECT w.job_id, w.context_id, w.scheduled_for, w.disposition, w.reason,
               w.is_closed OR EXISTS (SELECT 1 FROM agent_execution_results r WHERE r.run_id = :run_id) AS has_ended
        FROM (
            SELECT job_id, context_id, scheduled_for, disposition, reason, closed_at IS NOT NULL AS is_closed
            FROM occurrences WHERE run_id = :run_id
            UNION ALL
            SELECT job_id, context_id, coalesce(scheduled_for, created_at), NULL, NULL, false
            FROM run_requests WHERE run_id = :run_id
            UNION ALL
            SELECT schedule_id, context_id, scheduled_for, NULL, NULL, true
            FROM agent_execution_results WHERE run_id = :run_id
            LIMIT 1) AS w
        """,
        run_id=run_id,
    )


async def add_cancellation(
    connection: Connection,
    *,
    run_id: UUID,
    context_id: UUID,
    job_id: UUID,
    scheduled_for: datetime,
    user_id: UUID,
    reason: str,
) -> None:
    """Asks for the end of the run; who asked first keeps the word."""
    await run(
        connection,
        """
        INSERT INTO run_cancellations (run_id, context_id, job_id, scheduled_for, requested_by, reason)
        VALUES (:run_id, :context_id, :job_id, :scheduled_for, :user_id, :reason)
        ON CONFLICT (run_id) DO NOTHING
        """,
        run_id=run_id,
        context_id=context_id,
        job_id=job_id,
        scheduled_for=scheduled_for,
        user_id=user_id,
        reason=reason,
    )
