from datetime import datetime
from typing import Any
from uuid import UUID

from rota_gateway.repository.connection import Connection, Row, rows

# The ledger knows what is dispatched; that it runs, its attempt says.
STATE = """
    CASE WHEN o.state = 'dispatched' AND EXISTS (
        SELECT 1 FROM run_attempts a
        WHERE a.run_id = o.run_id AND a.attempt = o.attempt AND a.state = 'running')
    THEN 'running' ELSE o.state END
"""
COLUMNS = f"""
    o.run_id, o.job_id, o.context_id, o.scheduled_for, o.effective_at, o.trigger, {STATE} AS state, o.disposition,
    o.reason_code, o.reason, o.instants, o.last_instant, o.coalesced_into, o.stands_for, o.first_instant, o.attempt,
    o.priority, o.requested_by, o.created_at, o.dispatched_at, o.started_at, o.closed_at
"""


async def page_of_job(
    connection: Connection,
    job_id: UUID,
    after: tuple[datetime, UUID] | None,
    limit: int,
    *,
    disposition: str | None = None,
    trigger: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> list[Row]:
    """The ledger of a job, the latest instant first."""
    scheduled_for, run_id = after or (None, None)
    filters: dict[str, dict[str, Any]] = {
        "o.disposition = :disposition": {"disposition": disposition},
        "o.trigger = :trigger": {"trigger": trigger},
        "coalesce(o.last_instant, o.scheduled_for) >= :since": {"since": since},
        "o.scheduled_for <= :until": {"until": until},
        "(o.scheduled_for, o.run_id) < (:scheduled_for, :run_id)": {
            "scheduled_for": scheduled_for,
            "run_id": run_id,
        },
    }
    given = {text: values for text, values in filters.items() if None not in values.values()}
    conditions = " AND ".join(["o.job_id = :job_id", *given])
    return await rows(
        connection,
        f"""
        SELECT {COLUMNS} FROM occurrences o WHERE {conditions}
        ORDER BY o.scheduled_for DESC, o.run_id DESC LIMIT :limit
        """,
        job_id=job_id,
        limit=limit,
        **{name: value for values in given.values() for name, value in values.items()},
    )
