"""What runs of a job note for those after them."""

import json
from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from rota_store import Connection, Database


class Note(NamedTuple):
    """What a run noted; `value` None: what it forgot."""

    job_id: UUID
    context_id: UUID
    run_id: UUID
    key: str
    value: str | None


class Notebooks:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def notes(self, job_id: UUID) -> dict[str, str]:
        """By their keys, in the order of these."""
        rows = await self._database.fetch(
            "SELECT key, value FROM job_notebooks WHERE job_id = :job_id ORDER BY key", {"job_id": job_id}
        )
        return {row.key: row.value for row in rows}


async def write_notes(connection: Connection, notes: Sequence[Note]) -> None:
    """As part of a transaction. Of two notes of one key the last one holds."""
    last = {(note.job_id, note.key): note for note in notes}
    # In one order, so that two executors do not wait for one another.
    listed = [note._asdict() for _, note in sorted(last.items())]
    if not listed:
        return
    await connection.execute(
        """
        WITH notes AS (
            SELECT * FROM jsonb_to_recordset(CAST(:notes AS jsonb))
                AS n (job_id uuid, context_id uuid, run_id uuid, key text, value text)
        ), forgotten AS (
            DELETE FROM job_notebooks b USING notes n
            WHERE n.value IS NULL AND b.job_id = ANY (ARRAY[n.job_id]) AND b.key = n.key
        )
        INSERT INTO job_notebooks (job_id, context_id, run_id, key, value)
        SELECT job_id, context_id, run_id, key, value FROM notes WHERE value IS NOT NULL
        ORDER BY job_id, key
        ON CONFLICT (job_id, key) DO UPDATE SET value = excluded.value, run_id = excluded.run_id,
            updated_at = clock_timestamp()
        """,
        {"notes": json.dumps(listed, default=str)},
    )
