"""What attempts that go on have spent so far."""

from collections.abc import Mapping

from rota_executor.repository.attempts import HELD, RUNNING, AttemptKey
from rota_store import Database

KEEP = f"""
    WITH {HELD}
    UPDATE run_attempts a SET spent = CAST(d.spent AS jsonb), spent_at = clock_timestamp()
    FROM unnest(CAST(:run_ids AS uuid[]), CAST(:attempts AS int[]), CAST(:spent AS text[]))
        AS d(run_id, attempt, spent)
    WHERE a.run_id = ANY (ARRAY[d.run_id]) AND a.attempt = d.attempt AND {RUNNING}
"""


class SpentRepository:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def keep(self, executor: str, spent: Mapping[AttemptKey, str]) -> None:
        """JSON by attempt; of those that the executor does not hold any more nothing is kept."""
        await self._database.execute(
            KEEP,
            {
                "run_ids": [key.run_id for key in spent],
                "attempts": [key.attempt for key in spent],
                "spent": list(spent.values()),
                "executor": executor,
            },
        )
