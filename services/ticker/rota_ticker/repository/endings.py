"""What becomes of runs whose attempts ended."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from rota_contracts.events import JobCompleted
from rota_store import Connection, Database
from rota_ticker.domain.attempts import ending_reason
from rota_ticker.repository.ledger import Key, key_columns
from rota_ticker.repository.requests import Resumption

CLOSE_RAN = """
    UPDATE occurrences o
    SET state = 'closed', disposition = 'ran', reason_code = u.code, reason = u.reason,
        closed_at = clock_timestamp(), started_at = u.started_at
    FROM unnest(CAST(:run_ids AS uuid[]), CAST(:instants AS timestamptz[]), CAST(:attempts AS int[]),
                CAST(:codes AS text[]), CAST(:reasons AS text[]), CAST(:started AS timestamptz[]))
        AS u (run_id, scheduled_for, attempt, code, reason, started_at)
    WHERE o.run_id = ANY (ARRAY[u.run_id]) AND o.scheduled_for IS NOT DISTINCT FROM u.scheduled_for AND o.attempt = u.attempt
      AND o.state <> 'closed'
    RETURNING o.run_id, o.context_id
"""

FAILED = """
    SELECT o.run_id, o.scheduled_for, o.failures + 1 AS failures, coalesce(j.retry_backoff, 'fixed') AS backoff,
           coalesce(j.retry_backoff_seconds, 1) AS first_seconds,
           coalesce(j.retry_backoff_max_seconds, 1) AS longest_seconds
    FROM unnest(CAST(:run_ids AS uuid[]), CAST(:instants AS timestamptz[]), CAST(:attempts AS int[]))
        AS u (run_id, scheduled_for, attempt)
    JOIN occurrences o ON o.run_id = ANY (ARRAY[u.run_id]) AND o.scheduled_for IS NOT DISTINCT FROM u.scheduled_for AND o.attempt = u.attempt
    LEFT JOIN scheduled_jobs j ON j.id = ANY (ARRAY[o.job_id])
    WHERE o.state <> 'closed'
    ORDER BY u.run_id
    FOR UPDATE OF o
"""

# A retry keeps the occurrence open: the next attempt, after the backoff of the job.
QUEUE_RETRIES = """
    UPDATE occurrences o
    SET state = 'queued', attempt = o.attempt + 1, failures = o.failures + 1, dispatched_at = NULL, check_at = NULL,
        expires_at = NULL, queued_at = clock_timestamp(),
        not_before = clock_timestamp() + CASE WHEN o.cancelled_at IS NULL THEN u.delay ELSE interval '0' END
    FROM unnest(CAST(:run_ids AS uuid[]), CAST(:instants AS timestamptz[]), CAST(:delays AS interval[]))
        AS u (run_id, scheduled_for, delay)
    WHERE o.run_id = ANY (ARRAY[u.run_id]) AND o.scheduled_for IS NOT DISTINCT FROM u.scheduled_for AND o.state <> 'closed'
"""

# A run that parked had its disposition; decided upon, it is open again, and another attempt goes on from there.
# One that was interrupted begins where the interrupted attempt did.
REOPEN = """
    UPDATE occurrences o
    SET state = 'queued', disposition = NULL, reason_code = NULL, reason = NULL, closed_at = NULL,
        resumes = CASE o.reason_code WHEN 'partial' THEN o.attempt ELSE o.resumes END, attempt = o.attempt + 1, dispatched_at = NULL, check_at = NULL, expires_at = NULL,
        not_before = clock_timestamp(), queued_at = clock_timestamp()
    FROM unnest(CAST(:run_ids AS uuid[]), CAST(:instants AS timestamptz[]), CAST(:attempts AS int[]))
        AS u (run_id, scheduled_for, attempt)
    WHERE o.run_id = ANY (ARRAY[u.run_id]) AND o.scheduled_for IS NOT DISTINCT FROM u.scheduled_for AND o.attempt = u.attempt
      AND o.disposition = 'ran' AND o.reason_code IN ('partial', 'interrupted')
    RETURNING o.context_id
"""

# The attempt ended, and its completion never reached the ticker (the stream was lost).
UNHEARD_OUTCOMES = """
    SELECT CAST(a.outcome AS text)
    FROM occurrences o JOIN run_attempts a ON a.run_id = ANY (ARRAY[o.run_id]) AND a.attempt = o.attempt
    WHERE o.state = 'dispatched' AND a.state || '' = 'ended'
      AND a.ended_at + CAST(:after AS interval) <= statement_timestamp()
    LIMIT 500
"""


class Failed(NamedTuple):
    """A failed attempt that another one will follow."""

    run_id: UUID
    scheduled_for: datetime
    failures: int
    backoff: Any
    first_seconds: int
    longest_seconds: int


async def close_ran(connection: Connection, completed: Sequence[JobCompleted]) -> dict[UUID, UUID]:
    """The runs that were closed by this, with their contexts."""
    completed = sorted(completed, key=lambda event: event.run_id)  # whoever locks several does it in order
    endings = [ending_reason(event) for event in completed]
    rows = await connection.fetch(
        CLOSE_RAN,
        {
            **_attempts(completed),
            "codes": [code for code, _ in endings],
            "reasons": [reason for _, reason in endings],
            "started": [event.started_at for event in completed],
        },
    )
    return {row[0]: row[1] for row in rows}


async def failed(connection: Connection, completed: Sequence[JobCompleted]) -> list[Failed]:
    return [Failed(*row) for row in await connection.fetch(FAILED, _attempts(completed))]


async def queue_retries(connection: Connection, delays: Mapping[Key, timedelta]) -> None:
    await connection.execute(QUEUE_RETRIES, {**key_columns(list(delays)), "delays": list(delays.values())})


async def reopen(connection: Connection, resumptions: Sequence[Resumption]) -> list[UUID]:
    """The contexts of those that wait now for another attempt; under the lock of the admission."""
    rows = await connection.fetch(
        REOPEN,
        {
            "run_ids": [one.run_id for one in resumptions],
            "instants": [one.scheduled_for for one in resumptions],
            "attempts": [one.attempt for one in resumptions],
        },
    )
    return [row[0] for row in rows]


async def unheard_outcomes(database: Database, after: timedelta) -> list[bytes]:
    """The job.completed payloads of attempts that ended at least `after` ago, still open in the ledger."""
    return [row[0].encode() for row in await database.fetch(UNHEARD_OUTCOMES, {"after": after})]


def _attempts(events: Sequence[JobCompleted]) -> dict[str, list[Any]]:
    return {
        "run_ids": [event.run_id for event in events],
        "instants": [event.scheduled_for for event in events],
        "attempts": [event.attempt for event in events],
    }
