"""Definitions as the ticker reads them."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec

from rota_contracts.events import JobSnapshot
from rota_store import Connection, Row
from rota_ticker.domain.jobs import Clockwork, Job, Revision

JOB = """
    j.id, j.context_id, j.owner_id, j.name, j.agent_name, j.skill_prompt, j.tool, j.arguments,
    j.timeout_seconds, j.max_retries, j.priority, j.queue_ttl_seconds, j.auto_pause_after, j.resume_catch_up,
    j.resumed_at, j.generation, j.schedule_since, j.updated_at,
    j.cron_expression, j.seconds_field, j.timezone, j.dst_gap, j.dst_repeat, j.start_at, j.end_at, j.max_runs,
    j.jitter_seconds, j.excluded_dates, j.excluded_instants, j.calendar_dates, j.is_enabled, j.paused_until,
    j.catch_up_policy, j.catch_up_window_seconds, j.catch_up_max_runs, j.overlap_policy, j.created_at
"""

CHANGED = f"""
    SELECT {JOB}, CAST(j.changed_xid AS text)
    FROM scheduled_jobs j LEFT JOIN job_timers t ON t.job_id = ANY (ARRAY[j.id])
    WHERE j.changed_xid >= CAST(CAST(:horizon AS text) AS xid8)
      AND (t.job_id IS NULL OR t.planned_generation < j.generation)
    ORDER BY j.changed_xid, j.id LIMIT :limit
"""

BY_ID = f"SELECT {JOB} FROM scheduled_jobs j WHERE j.id = ANY (CAST(:job_ids AS uuid[]))"

# Of a deleted job, what an earlier attempt of the run said of it.
REMEMBERED = """
    SELECT DISTINCT ON (u.run_id) u.run_id,
           coalesce(a.outcome ->> 'job_name', a.spent ->> 'job_name', 'a deleted job'),
           coalesce(a.outcome ->> 'agent_name', a.spent ->> 'agent_name', ''),
           coalesce(a.outcome ->> 'prompt', ''), coalesce(a.outcome ->> 'cron_expression', ''),
           a.outcome ->> 'tool', CAST(a.outcome ->> 'owner_id' AS uuid)
    FROM unnest(CAST(:run_ids AS uuid[])) AS u (run_id)
    LEFT JOIN run_attempts a ON a.run_id = ANY (ARRAY[u.run_id]) AND (a.outcome IS NOT NULL OR a.spent IS NOT NULL)
    ORDER BY u.run_id, a.attempt DESC NULLS LAST
"""

REVISIONS = """
    SELECT r.job_id, r.generation, r.valid_from, r.valid_until, r.definition
    FROM unnest(CAST(:job_ids AS uuid[]), CAST(:generations AS bigint[])) AS u (job_id, generation)
    JOIN job_revisions r ON r.job_id = ANY (ARRAY[u.job_id]) AND r.generation >= u.generation
    ORDER BY r.generation
"""

_document = msgspec.json.Decoder(dict[str, Any])


async def changed(connection: Connection, since: str, limit: int) -> tuple[list[Job], str]:
    """Jobs changed since the horizon and not planned as they are now, and the transaction of the last."""
    rows = await connection.fetch(CHANGED, {"horizon": since, "limit": limit})
    return [job_of(row) for row in rows], rows[-1][JOB_COLUMNS] if rows else since


async def by_id(connection: Connection, job_ids: Sequence[UUID]) -> dict[UUID, Job]:
    """Those of the jobs that are still there."""
    return {row[0]: job_of(row) for row in await connection.fetch(BY_ID, {"job_ids": list(job_ids)})}


async def remembered(connection: Connection, run_ids: Sequence[UUID]) -> dict[UUID, JobSnapshot]:
    """Of each run enough of its job to say how it ended; not to run it."""
    return {
        row[0]: JobSnapshot(
            name=row[1],
            agent_name=row[2],
            skill_prompt=row[3],
            cron_expression=row[4],
            timezone="UTC",
            timeout_seconds=1,
            max_retries=0,
            generation=1,
            tool=row[5],
            owner_id=row[6],
        )
        for row in await connection.fetch(REMEMBERED, {"run_ids": list(run_ids)})
    }


async def revisions(connection: Connection, since: Sequence[tuple[UUID, int]]) -> dict[UUID, list[Revision]]:
    """What the clock went by before, in order: of each job, from the given generation on."""
    rows = await connection.fetch(
        REVISIONS,
        {"job_ids": [job_id for job_id, _ in since], "generations": [number for _, number in since]},
    )
    found: dict[UUID, list[Revision]] = {}
    for row in rows:
        clockwork = msgspec.convert(_document.decode(row[4]), Clockwork, strict=False)
        found.setdefault(row[0], []).append(Revision(row[1], row[2], row[3], clockwork))
    return found


def job_of(row: Row) -> Job:
    """The first columns of a row, in the order of JOB."""
    columns = list(row[:37])
    columns[7] = {} if columns[6] is None else _document.decode(columns[7])
    columns[27:30] = [tuple(column) for column in columns[27:30]]
    columns[18:] = [Clockwork(*columns[18:])]
    return Job(*columns)


JOB_COLUMNS = len(JOB.split(","))
