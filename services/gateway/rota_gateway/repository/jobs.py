import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from rota_gateway.errors import NotFoundError
from rota_gateway.repository.connection import Connection, Row, decoded, row, rows, run

# The ticker's timer counts only where it was planned from the definition as it stands now.
IS_PLANNED = "t.planned_generation = j.generation"
# The ticker pauses by its timer; a person ends that by enabling the job later.
IS_PAUSED_BY_TICKER = "t.paused_at IS NOT NULL AND (j.resumed_at IS NULL OR j.resumed_at <= t.paused_at)"
NEXT_RUN_AT = f"CASE WHEN j.is_enabled AND {IS_PLANNED} THEN t.next_run_at END"
SORT_KEY = f"coalesce({NEXT_RUN_AT}, TIMESTAMPTZ '9999-12-31 00:00+00')"
# When a person paused it: the end of the last definition that was enabled.
DISABLED_AT = """
    CASE WHEN NOT j.is_enabled THEN coalesce((
        SELECT max(r.valid_until) FROM job_revisions r
        WHERE r.job_id = j.id AND CAST(r.definition ->> 'is_enabled' AS boolean)), j.created_at) END
"""

# Of the columns that are no text.
BATCH_TYPES = {
    **dict.fromkeys(("id", "context_id", "owner_id"), "uuid"),
    **dict.fromkeys(("seconds_field", "is_enabled"), "boolean"),
    **dict.fromkeys(("start_at", "end_at", "paused_until"), "timestamptz"),
    **dict.fromkeys(("excluded_dates", "calendar_dates"), "date[]"),
    "calendars": "text[]",
    "arguments": "jsonb",
    **dict.fromkeys(
        (
            "max_runs",
            "jitter_seconds",
            "catch_up_window_seconds",
            "catch_up_max_runs",
            "timeout_seconds",
            "max_retries",
            "retry_backoff_seconds",
            "retry_backoff_max_seconds",
            "priority",
            "queue_ttl_seconds",
            "auto_pause_after",
            "approval_expiry_seconds",
            "continuity_outcomes",
            "continuity_max_chars",
        ),
        "integer",
    ),
}


def select(jobs: str = "scheduled_jobs") -> str:
    """Everything that is told about the jobs in `jobs`, a table or a subquery."""
    return f"""
    SELECT j.*, c.name AS context_name, coalesce({IS_PLANNED}, false) AS is_planned,
           CASE WHEN {IS_PLANNED} THEN t.error END AS schedule_error,
           {NEXT_RUN_AT} AS next_run_at,
           {SORT_KEY} AS sort_key,
           t.runs, t.accounted_until, {IS_PAUSED_BY_TICKER} AS is_paused_by_ticker, t.paused_at AS ticker_paused_at,
           t.pause_reason AS ticker_pause_reason, {DISABLED_AT} AS disabled_at,
           coalesce(nullif(u.display_name, ''), u.email) AS paused_by_name,
           s.last_run_id, s.last_run_at, s.last_run_status, s.last_run_result, s.last_run_duration_ms,
           coalesce(s.run_count, 0) AS run_count, coalesce(s.error_count, 0) AS error_count,
           EXISTS (SELECT 1 FROM occurrences o WHERE o.job_id = j.id AND o.closed_at IS NULL
                   AND o.state = 'dispatched') AS is_running
    FROM {jobs} j
    JOIN contexts c ON c.id = j.context_id
    LEFT JOIN job_timers t ON t.job_id = j.id
    LEFT JOIN job_statistics s ON s.job_id = j.id
    LEFT JOIN users u ON u.id = j.paused_by
    """


async def page_of_context(
    connection: Connection, context_id: UUID, after: tuple[datetime, UUID] | None, limit: int
) -> list[Row]:
    """Newest first."""
    created_at, job_id = after or (None, None)
    # The page is cut before the rest is looked up for it.
    page = """(
        SELECT * FROM scheduled_jobs
        WHERE context_id = :context_id
          AND (CAST(:created_at AS timestamptz) IS NULL OR (created_at, id) < (:created_at, :job_id))
        ORDER BY created_at DESC, id DESC LIMIT :limit)"""
    found = await rows(
        connection,
        f"{select(page)} ORDER BY j.created_at DESC, j.id DESC",
        context_id=context_id,
        created_at=created_at,
        job_id=job_id,
        limit=limit,
    )
    return [plain(one) for one in found]


async def page_by_next_run(
    connection: Connection, after: tuple[datetime, UUID] | None, limit: int
) -> list[Row]:
    """The next to run first; what does not run (or is not planned yet) last."""
    sort_key, job_id = after or (None, None)
    # Row level security looks each joined row up by itself, so only what orders the page is joined for all.
    page = f"""(
        SELECT j.* FROM scheduled_jobs j LEFT JOIN job_timers t ON t.job_id = j.id
        WHERE CAST(:sort_key AS timestamptz) IS NULL OR ({SORT_KEY}, j.id) > (:sort_key, :job_id)
        ORDER BY {SORT_KEY}, j.id LIMIT :limit)"""
    found = await rows(
        connection,
        f"{select(page)} ORDER BY sort_key, j.id",
        sort_key=sort_key,
        job_id=job_id,
        limit=limit,
    )
    return [plain(one) for one in found]


async def get(connection: Connection, job_id: UUID) -> Row | None:
    found = await row(connection, f"{select()} WHERE j.id = :id", id=job_id)
    return found and plain(found)


async def lock(connection: Connection, job_id: UUID) -> Row:
    """The definition, held until the transaction ends; gone when somebody has just deleted it."""
    found = await row(connection, "SELECT * FROM scheduled_jobs WHERE id = :id FOR UPDATE", id=job_id)
    if found is None:
        raise NotFoundError("job")
    return plain(found)


async def add(connection: Connection, values: dict[str, Any]) -> Row:
    """Inserts the columns named in `values`; returns id, context_id and generation."""
    columns = ", ".join(values)
    placeholders = ", ".join(f":{column}" for column in values)
    added = await row(
        connection,
        f"INSERT INTO scheduled_jobs ({columns}) VALUES ({placeholders}) RETURNING id, context_id, generation",
        **_encoded(values),
    )
    assert added is not None
    return added


async def add_all(connection: Connection, values: Sequence[dict[str, Any]]) -> list[Row]:
    """Inserts rows of the same columns in one statement; id, context_id and generation of each."""
    columns = ", ".join(values[0])
    typed = ", ".join(f"{column} {BATCH_TYPES.get(column, 'text')}" for column in values[0])
    return await rows(
        connection,
        f"""
        INSERT INTO scheduled_jobs ({columns})
        SELECT {columns} FROM jsonb_to_recordset(CAST(:values AS jsonb)) AS r ({typed})
        RETURNING id, context_id, generation
        """,
        values=json.dumps(values),
    )


async def taken_names(connection: Connection, context_id: UUID, names: Sequence[str]) -> list[str]:
    """Those of the names that jobs of the context have."""
    found = await rows(
        connection,
        "SELECT name FROM scheduled_jobs WHERE context_id = :id AND name = ANY (CAST(:names AS text[]))",
        id=context_id,
        names=list(names),
    )
    return [one["name"] for one in found]


async def owners(
    connection: Connection, context_id: UUID, names: Sequence[str]
) -> dict[str, tuple[UUID, UUID | None]]:
    """Of the names that jobs of the context have: the job, and whose it is."""
    found = await rows(
        connection,
        """
        SELECT name, id, owner_id FROM scheduled_jobs
        WHERE context_id = :id AND name = ANY (CAST(:names AS text[]))
        """,
        id=context_id,
        names=list(names),
    )
    return {one["name"]: (one["id"], one["owner_id"]) for one in found}


async def update(connection: Connection, job_id: UUID, changes: dict[str, Any]) -> Row:
    """Sets the columns named in `changes`; a trigger makes it a new generation."""
    assignments = ", ".join(f"{column} = :{column}" for column in changes)
    updated = await row(
        connection,
        f"UPDATE scheduled_jobs SET {assignments} WHERE id = :id RETURNING id, context_id, generation",
        id=job_id,
        **_encoded(changes),
    )
    assert updated is not None
    return updated


def plain(found: Row) -> Row:
    """With arguments as an object."""
    return {**found, "arguments": decoded(found["arguments"])}


def _encoded(values: dict[str, Any]) -> dict[str, Any]:
    return {**values, "arguments": json.dumps(values["arguments"])} if "arguments" in values else values


async def delete(connection: Connection, job_id: UUID) -> Row | None:
    return await row(
        connection,
        "DELETE FROM scheduled_jobs WHERE id = :id RETURNING id, context_id, generation",
        id=job_id,
    )


async def delete_of_context(connection: Connection, context_id: UUID) -> list[Row]:
    return await rows(
        connection,
        "DELETE FROM scheduled_jobs WHERE context_id = :context_id RETURNING id, context_id, generation",
        context_id=context_id,
    )


async def request_run(
    connection: Connection,
    *,
    run_id: UUID,
    job_id: UUID,
    context_id: UUID,
    user_id: UUID,
    prompt_context: str = "",
    is_dry: bool = False,
) -> None:
    """A dry run stands in nobody's way, and waits for none."""
    await run(
        connection,
        """
        INSERT INTO run_requests
            (run_id, job_id, context_id, requested_by, prompt_context, trigger, overlap_policy)
        VALUES (:run_id, :job_id, :context_id, :user_id, :prompt_context, :trigger, :overlap_policy)
        """,
        trigger="dry_run" if is_dry else "manual",
        overlap_policy="allow" if is_dry else None,
        run_id=run_id,
        job_id=job_id,
        context_id=context_id,
        user_id=user_id,
        prompt_context=prompt_context,
    )


async def totals(connection: Connection) -> Row:
    """How many jobs the user may see: all, active, running now, in error (the last run failed, or unplannable)."""
    is_on = "is_enabled AND NOT is_paused_by_ticker AND coalesce(paused_until <= clock_timestamp(), true)"
    found = await row(
        connection,
        f"""
        SELECT count(*) AS all, count(*) FILTER (WHERE {is_on}) AS active,
               count(*) FILTER (WHERE is_running) AS running,
               count(*) FILTER (WHERE {is_on} AND (last_run_status = 'error' OR schedule_error IS NOT NULL))
                   AS error
        FROM ({select()}) AS job
        """,
    )
    assert found is not None
    return found
