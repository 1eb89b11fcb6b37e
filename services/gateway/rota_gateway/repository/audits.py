"""Jobs with what the clock and the ledger say of them, as of one moment each."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from rota_gateway.repository.connection import Connection, Row, decoded, row, rows


async def page(connection: Connection, context_id: UUID | None, after: UUID | None, limit: int) -> list[Row]:
    """In the order of their ids. The ledger is summed up to where the same moment's timer is."""
    found = await rows(
        connection,
        """
        SELECT j.*, t.planned_generation, t.accounted_until, t.wake_at, t.error, t.runs,
               coalesce((
                   SELECT jsonb_agg(jsonb_build_object('valid_from', r.valid_from, 'valid_until', r.valid_until,
                       'definition', r.definition) ORDER BY r.generation)
                   FROM job_revisions r WHERE r.job_id = j.id), '[]') AS revisions,
               o.accounted, o.first_accounted, o.last_accounted
        FROM (
            SELECT * FROM scheduled_jobs
            WHERE (CAST(:context_id AS uuid) IS NULL OR context_id = :context_id)
              AND (CAST(:after AS uuid) IS NULL OR id > :after)
            ORDER BY id LIMIT :limit) j
        LEFT JOIN job_timers t ON t.job_id = j.id
        CROSS JOIN LATERAL (
            SELECT coalesce(sum(instants), 0) AS accounted,
                   min(scheduled_for) AS first_accounted,
                   max(coalesce(last_instant, scheduled_for)) AS last_accounted
            FROM occurrences
            WHERE job_id = j.id AND trigger = 'schedule' AND scheduled_for <= t.accounted_until) o
        ORDER BY j.id
        """,
        context_id=context_id,
        after=after,
        limit=limit,
    )
    return [_plain(one) for one in found]


async def sums(
    connection: Connection, job_id: UUID, bounds: Sequence[tuple[datetime, datetime]]
) -> list[tuple[int, datetime | None]]:
    """For each after < instant <= until, how many instants the ledger has, and the last of them."""
    found = []
    for after, until in bounds:
        one = await row(
            connection,
            """
            SELECT coalesce(sum(instants), 0) AS accounted, max(coalesce(last_instant, scheduled_for)) AS last
            FROM occurrences
            WHERE job_id = :job_id AND trigger = 'schedule' AND scheduled_for > :after AND scheduled_for <= :until
            """,
            job_id=job_id,
            after=after,
            until=until,
        )
        assert one is not None
        found.append((int(one["accounted"]), one["last"]))
    return found


def _plain(found: Row) -> Row:
    revisions = [
        {
            "valid_from": datetime.fromisoformat(one["valid_from"]),
            "valid_until": datetime.fromisoformat(one["valid_until"]),
            "definition": one["definition"],
        }
        for one in decoded(found["revisions"])
    ]
    return {**found, "revisions": revisions, "accounted": int(found["accounted"])}
