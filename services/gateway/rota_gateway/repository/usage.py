"""What runs spent, added up; row level security leaves out the contexts that the user may not see."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from rota_gateway.repository.connection import Connection, Row, row, rows

# What is shown of each group, and what makes it one.
COLUMNS = {
    "context": ("u.context_id, c.name AS context_name", "u.context_id, c.name"),
    "agent": ("u.agent_name", "u.agent_name"),
    "job": ("u.job_id, max(coalesce(j.name, u.job_name)) AS job_name", "u.job_id"),
    "model": ("u.model", "u.model"),
    "day": (
        "CAST(u.used_at AT TIME ZONE 'UTC' AS date) AS day",
        "CAST(u.used_at AT TIME ZONE 'UTC' AS date)",
    ),
}
SUMS = """
    count(DISTINCT u.run_id) AS runs, coalesce(sum(u.requests), 0) AS requests,
    coalesce(sum(u.input_tokens), 0) AS input_tokens, coalesce(sum(u.output_tokens), 0) AS output_tokens,
    sum(u.cost_usd) AS cost_usd, coalesce(sum(u.unpriced_requests), 0) AS unpriced_requests
"""
OF = """
    FROM model_usage u JOIN contexts c ON c.id = u.context_id LEFT JOIN scheduled_jobs j ON j.id = u.job_id
    WHERE u.used_at >= :since AND u.used_at < :until
      AND (CAST(:context_id AS uuid) IS NULL OR u.context_id = :context_id)
      AND (CAST(:job_id AS uuid) IS NULL OR u.job_id = :job_id)
      AND (CAST(:agent_name AS text) IS NULL OR u.agent_name = :agent_name)
      AND (CAST(:model AS text) IS NULL OR u.model = :model)
"""


async def groups(connection: Connection, by: Sequence[str], limit: int, **filters: Any) -> list[Row]:
    """Of each group its sums, by day and then the dearest first."""
    shown = "".join(f"{COLUMNS[name][0]}, " for name in by)
    grouped = ", ".join(COLUMNS[name][1] for name in by)
    order = "day, " if "day" in by else ""
    return await rows(
        connection,
        f"""
        SELECT {shown}{SUMS} {OF} GROUP BY {grouped}
        ORDER BY {order}cost_usd DESC NULLS LAST, input_tokens DESC, {grouped} LIMIT :limit
        """,
        limit=limit,
        **filters,
    )


async def total(connection: Connection, **filters: Any) -> Row:
    found = await row(connection, f"SELECT {SUMS} {OF}", **filters)
    assert found is not None
    return found


async def of_job(connection: Connection, job_id: UUID, now: datetime, period: timedelta) -> Row:
    """What runs of the job spent in the period until now, and how many of them there were."""
    found = await row(
        connection,
        """
        SELECT (SELECT count(*) FROM agent_execution_results r
                WHERE r.schedule_id = :job_id AND r.created_at >= :since) AS runs,
               sum(u.cost_usd) AS cost_usd, coalesce(sum(u.input_tokens + u.output_tokens), 0) AS tokens,
               coalesce(sum(u.unpriced_requests), 0) AS unpriced_requests
        FROM model_usage u WHERE u.job_id = :job_id AND u.used_at >= :since
        """,
        job_id=job_id,
        since=now - period,
    )
    assert found is not None
    return found
