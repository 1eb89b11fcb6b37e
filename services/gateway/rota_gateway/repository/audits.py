"""Jobs with what the clock and the ledger say of them, as of one moment each."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from rota_gateway.domain.gaps import Entry
from rota_gateway.repository.connection import Connection, Row, decoded, row, rows, run

# All that is read in the transaction is of one moment: no job is deleted between its page and its rows.
ONE_MOMENT = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"
BECOME_AUDITOR = "SET LOCAL ROLE rota_auditor"

# A range that reaches over `since` can only be the last row before it.
PAGE = """
    SELECT j.id, j.context_id, j.name, j.generation, j.updated_at, j.created_at, j.cron_expression, j.seconds_field,
           j.timezone, j.dst_gap, j.dst_repeat, j.start_at, j.end_at, j.max_runs, j.jitter_seconds, j.excluded_dates,
           j.excluded_instants, j.calendar_dates, j.is_enabled, j.paused_until, j.resumed_at,
           t.planned_generation, t.accounted_until, t.wake_at, t.paused_at, t.error, t.runs,
           coalesce((
               SELECT jsonb_agg(jsonb_build_object('valid_from', r.valid_from, 'valid_until', r.valid_until,
                   'definition', r.definition) ORDER BY r.generation)
               FROM job_revisions r WHERE r.job_id = j.id AND r.valid_until > :since), '[]') AS revisions,
           p.previous, o.accounted, o.first_accounted, o.last_accounted
    FROM (
        SELECT * FROM scheduled_jobs
        WHERE (CAST(:context_id AS uuid) IS NULL OR context_id = :context_id)
          AND (CAST(:after AS uuid) IS NULL OR id > :after)
        ORDER BY id LIMIT :limit) j
    -- One by one: the planner does not know how few jobs it is asked for.
    LEFT JOIN LATERAL (SELECT * FROM job_timers WHERE job_id = j.id LIMIT 1) t ON true
    LEFT JOIN LATERAL (
        SELECT coalesce(last_instant, scheduled_for) AS previous FROM occurrences
        WHERE job_id = j.id AND trigger = 'schedule' AND scheduled_for <= :since
        ORDER BY scheduled_for DESC LIMIT 1) p ON true
    CROSS JOIN LATERAL (
        SELECT coalesce(sum(instants), 0) AS accounted,
               min(scheduled_for) AS first_accounted,
               max(coalesce(last_instant, scheduled_for)) AS last_accounted
        FROM occurrences
        WHERE job_id = j.id AND trigger = 'schedule' AND scheduled_for > :since
          AND scheduled_for <= t.accounted_until) o
    ORDER BY j.id
"""


async def become_auditor(connection: Connection) -> None:
    """From its begin on, the transaction sees the definitions and the ledgers of all contexts, and only reads."""
    await run(connection, ONE_MOMENT)
    await run(connection, BECOME_AUDITOR)


async def page(
    connection: Connection, context_id: UUID | None, after: UUID | None, since: datetime, limit: int
) -> list[Row]:
    """In the order of their ids. The ledger is summed up from `since` to where the same moment's timer is."""
    found = await rows(connection, PAGE, context_id=context_id, after=after, since=since, limit=limit)
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


async def entries(
    connection: Connection, job_id: UUID, after: datetime, until: datetime, limit: int
) -> list[Entry]:
    """What the ledger has of a job for after < instant <= until, in order; the first so many."""
    found = await rows(
        connection,
        """
        SELECT scheduled_for AS first, coalesce(last_instant, scheduled_for) AS last, instants FROM occurrences
        WHERE job_id = :job_id AND trigger = 'schedule' AND scheduled_for > :after AND scheduled_for <= :until
        ORDER BY scheduled_for LIMIT :limit
        """,
        job_id=job_id,
        after=after,
        until=until,
        limit=limit,
    )
    return [Entry(**one) for one in found]


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
