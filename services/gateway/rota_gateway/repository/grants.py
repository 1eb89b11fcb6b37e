"""Standing grants: what they are bound to, and what has become of that."""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from rota_contracts.grants import Pattern
from rota_gateway.repository.connection import Connection, Row, row, rows, run

# The job as it is now, and the agent that it gets: its context's own before the one for every context.
JOB = """
    j.name AS job_name, j.agent_name AS job_agent_name, j.tool AS job_tool, j.skill_prompt AS job_prompt,
    a.id AS current_agent_id, a.revision AS current_agent_revision
"""
AGENT = """
    LEFT JOIN LATERAL (
        SELECT c.id, c.revision FROM agent_configurations c
        WHERE c.name = j.agent_name AND (c.context_id = j.context_id OR c.context_id IS NULL)
        ORDER BY c.context_id NULLS LAST LIMIT 1) a ON true
"""
SELECT = f"""
    SELECT g.*, CAST(g.pattern AS text) AS pattern_text, {JOB}, coalesce(u.uses, 0) AS uses, u.last_used_at,
           statement_timestamp() AS now
    FROM approval_grants g
    JOIN scheduled_jobs j ON j.id = g.job_id
    {AGENT}
    LEFT JOIN LATERAL (
        SELECT max(used.number) AS uses, max(used.used_at) AS last_used_at
        FROM grant_uses used WHERE used.grant_id = g.id) u ON true
"""


async def page(
    connection: Connection,
    after: tuple[datetime, UUID] | None,
    limit: int,
    *,
    context_id: UUID | None,
    job_id: UUID | None,
) -> list[Row]:
    """Newest first."""
    found = await rows(
        connection,
        f"""
        {SELECT}
        WHERE (CAST(:context_id AS uuid) IS NULL OR g.context_id = :context_id)
          AND (CAST(:job_id AS uuid) IS NULL OR g.job_id = :job_id)
          AND (CAST(:at AS timestamptz) IS NULL OR (g.created_at, g.id) < (:at, CAST(:id AS uuid)))
        ORDER BY g.created_at DESC, g.id DESC LIMIT :limit
        """,
        context_id=context_id,
        job_id=job_id,
        at=after and after[0],
        id=after and after[1],
        limit=limit,
    )
    return [_shown(one) for one in found]


async def find(connection: Connection, grant_id: UUID) -> Row | None:
    found = await row(connection, f"{SELECT} WHERE g.id = :id", id=grant_id)
    return found and _shown(found)


async def uses(
    connection: Connection, grant_id: UUID, after: tuple[datetime, UUID] | None, limit: int
) -> list[Row]:
    """The calls that it covered, the latest first."""
    return await rows(
        connection,
        """
        SELECT number, run_id, attempt, call_id, used_at FROM grant_uses
        WHERE grant_id = :id
          AND (CAST(:at AS timestamptz) IS NULL OR (used_at, run_id) < (:at, CAST(:run_id AS uuid)))
        ORDER BY used_at DESC, run_id DESC LIMIT :limit
        """,
        id=grant_id,
        at=after and after[0],
        run_id=after and after[1],
        limit=limit,
    )


async def job_of(connection: Connection, job_id: UUID) -> Row | None:
    """What a grant for the job is bound to. Whoever changes it just now voids the grant."""
    return await row(
        connection,
        f"SELECT j.id AS job_id, j.context_id, {JOB} FROM scheduled_jobs j {AGENT} WHERE j.id = :id",
        id=job_id,
    )


async def add(connection: Connection, pattern: Pattern, **columns: Any) -> UUID:
    names = ", ".join(columns)
    places = ", ".join(f":{name}" for name in columns)
    added = await row(
        connection,
        f"INSERT INTO approval_grants (pattern, {names}) VALUES (CAST(:pattern AS jsonb), {places}) RETURNING id",
        pattern=msgspec.json.encode(pattern).decode(),
        **columns,
    )
    assert added is not None
    grant_id: UUID = added["id"]
    return grant_id


async def revoke(connection: Connection, grant_id: UUID, user_id: UUID) -> None:
    """Who revoked it first keeps the word."""
    await run(
        connection,
        """
        UPDATE approval_grants SET revoked_at = clock_timestamp(), revoked_by = :user_id
        WHERE id = :id AND revoked_at IS NULL
        """,
        id=grant_id,
        user_id=user_id,
    )


def _shown(grant: Row) -> Row:
    return {**grant, **msgspec.json.decode(grant["pattern_text"])}
