"""Standing grants, and the uses that runs make of them."""

from typing import NamedTuple
from uuid import UUID

import msgspec

from rota_contracts.grants import Pattern
from rota_store import Database


class Bound(NamedTuple):
    """What a grant must be bound to, so that it is for a call of this run."""

    job_id: UUID
    prompt_hash: bytes
    agent_id: UUID
    agent_revision: int
    tool_name: str
    tool_hash: bytes


class Use(NamedTuple):
    run_id: UUID
    attempt: int
    call_id: str


# A grant whose agent was saved anew is void, also for a run that began before.
_IN_FORCE = """
    g.revoked_at IS NULL AND g.expires_at > clock_timestamp() AND EXISTS (
        SELECT 1 FROM agent_configurations a WHERE a.id = g.agent_id AND a.revision = g.agent_revision)
"""
# Those without a limit first, and none that is used up.
FOUND = f"""
    SELECT g.id, CAST(g.pattern AS text) FROM approval_grants g
    WHERE g.job_id = :job_id AND g.tool_name = :tool_name AND g.tool_hash = :tool_hash
      AND g.prompt_hash = :prompt_hash AND g.agent_id = :agent_id AND g.agent_revision = :agent_revision
      AND {_IN_FORCE} AND (g.max_uses IS NULL OR g.max_uses > (
          SELECT coalesce(max(u.number), 0) FROM grant_uses u WHERE u.grant_id = g.id))
    ORDER BY g.max_uses NULLS FIRST, g.created_at, g.id
"""
# Whoever takes a use waits for the one before to be committed, and then counts it.
LINE_UP = "SELECT pg_advisory_xact_lock(hashtextextended(:key, 0))"
TAKE = f"""
    INSERT INTO grant_uses (grant_id, number, context_id, run_id, attempt, call_id)
    SELECT g.id, n.number, g.context_id, :run_id, :attempt, :call_id
    FROM approval_grants g CROSS JOIN LATERAL (
        SELECT coalesce(max(u.number), 0) + 1 AS number FROM grant_uses u WHERE u.grant_id = g.id) n
    WHERE g.id = :grant_id AND {_IN_FORCE} AND (g.max_uses IS NULL OR n.number <= g.max_uses)
    ON CONFLICT DO NOTHING RETURNING number
"""


class Grants:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def found(self, bound: Bound) -> list[tuple[UUID, Pattern]]:
        """The grants in force that are bound to just this, and the arguments that each covers."""
        rows = await self._database.fetch(FOUND, bound._asdict())
        return [(row[0], msgspec.json.decode(row[1], type=Pattern)) for row in rows]

    async def take(self, grant_id: UUID, use: Use) -> bool:
        """Takes a use of the grant; False when none is left, or it is not in force any more."""
        async with self._database.transaction() as connection:
            await connection.fetch(LINE_UP, {"key": f"grant {grant_id}"})
            return bool(await connection.fetch(TAKE, {"grant_id": grant_id, **use._asdict()}))
