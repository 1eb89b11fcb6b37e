"""Where runs stopped to wait for a person, and what was decided."""

from uuid import UUID

import msgspec

from rota_executor.resumption import Decision, Resumption
from rota_store import Database

CHECKPOINT = "SELECT checkpoint FROM run_attempts WHERE run_id = :run_id AND attempt = :attempt"

# What is settled belongs to an earlier time that the run waited.
DECISIONS = """
    SELECT p.tool_call_id, coalesce(d.decision, 'expired'), CAST(d.arguments AS text), coalesce(d.note, ''),
           p.tool_name, CASE p.status WHEN 'pending' THEN p.expiry_action ELSE 'deny' END
    FROM pending_actions p LEFT JOIN approval_decisions d ON d.action_id = ANY (ARRAY[p.id])
    WHERE p.run_id = :run_id ORDER BY p.created_at, p.id
"""


async def load(database: Database, run_id: UUID, attempt: int) -> Resumption | None:
    """What the run goes on from; None when that attempt kept nothing, or it is gone."""
    found = await database.fetch(CHECKPOINT, {"run_id": run_id, "attempt": attempt})
    if not found or found[0][0] is None:
        return None
    rows = await database.fetch(DECISIONS, {"run_id": run_id})
    return Resumption(
        found[0][0].encode(),
        [Decision(row[0], row[1], row[2] and msgspec.json.decode(row[2]), *row[3:]) for row in rows],
    )
