"""Calls that write which earlier attempts of a run have begun, and what people said of them."""

from typing import Any, NamedTuple
from uuid import UUID

import msgspec

from rota_store import Database

# What a person has decided upon, and the run went on because of it, is behind it. What it did before it
# parked it knows of.
EARLIER = """
    SELECT e.tool_name, e.state, d.decision, CAST(e.arguments AS text) AS arguments,
           e.attempt > coalesce((SELECT max(r.attempt) FROM run_resumptions r
                                 WHERE r.run_id = e.run_id AND r.attempt < :attempt), 0) AS is_open
    FROM tool_effects e LEFT JOIN effect_decisions d ON d.effect_id = ANY (ARRAY[e.id])
    WHERE e.run_id = :run_id AND e.attempt > :resumes AND e.attempt < :attempt
    ORDER BY e.started_at
"""


class Earlier(NamedTuple):
    """`is_open`: no person has let the run go on since."""

    tool_name: str
    state: str
    decision: str | None
    arguments: Any
    is_open: bool

    @property
    def took_effect(self) -> bool:
        """As far as anybody knows; a person's word goes before what was written down."""
        return (self.decision or self.state) in {"confirmed", "done"}


class Effects:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def earlier(self, run_id: UUID, *, attempt: int, resumes: int) -> list[Earlier]:
        """Those of the attempts between the one that parked, 0 where none did, and this one; oldest first."""
        rows = await self._database.fetch(EARLIER, {"run_id": run_id, "attempt": attempt, "resumes": resumes})
        return [
            Earlier(row[0], row[1], row[2], row[3] and msgspec.json.decode(row[3]), row[4]) for row in rows
        ]
