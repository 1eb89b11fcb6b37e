"""Every SQL statement of the notifier."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from rota_notifier.domain import (
    Category,
    Channel,
    Delivery,
    EndedState,
    Notification,
    Outcome,
    Target,
    Waiting,
)
from rota_store import Database

TARGETS = """
    SELECT id, notification_channel, notification_target FROM scheduled_jobs
    WHERE id = ANY (CAST(:job_ids AS uuid[])) AND notification_channel IS NOT NULL
"""

WRITE_NOTIFICATIONS = """
    INSERT INTO notifications (id, context_id, run_id, attempt, job_id, category, title, body, cause)
    SELECT r.id, r.context_id, r.run_id, r.attempt, r.job_id, r.category, r.title, r.body, r.cause
    FROM unnest(CAST(:id AS uuid[]), CAST(:context_id AS uuid[]), CAST(:run_id AS uuid[]), CAST(:attempt AS int[]),
                CAST(:job_id AS uuid[]), CAST(:category AS text[]), CAST(:title AS text[]), CAST(:body AS text[]),
                CAST(:cause AS text[]))
        AS r (id, context_id, run_id, attempt, job_id, category, title, body, cause)
    JOIN contexts c ON c.id = ANY (ARRAY[r.context_id])
    ON CONFLICT DO NOTHING RETURNING id
"""

NOTIFICATION_COLUMNS = (
    *("id", "context_id", "run_id", "attempt", "job_id"),
    *("category", "title", "body", "cause"),
)

WRITE_DELIVERIES = """
    INSERT INTO deliveries (notification_id, context_id, channel, target, state, reason)
    SELECT r.notification_id, r.context_id, r.channel, r.target, r.state, r.reason
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r (
        notification_id uuid, context_id uuid, channel text, target text, state text, reason text)
    WHERE r.notification_id = ANY (CAST(:new AS uuid[]))
    ON CONFLICT DO NOTHING
"""

# Held for two minutes: longer than any attempt to send takes.
CLAIM_DUE = """
    WITH due AS (
        SELECT notification_id, channel FROM deliveries
        WHERE state = 'pending' AND next_attempt_at <= clock_timestamp()
          AND (lease_until IS NULL OR lease_until < clock_timestamp())
        ORDER BY next_attempt_at LIMIT :limit
        FOR UPDATE SKIP LOCKED
    )
    UPDATE deliveries d
    SET lease_until = clock_timestamp() + interval '2 minutes', attempts = d.attempts + 1,
        updated_at = clock_timestamp()
    FROM due, notifications n
    WHERE d.notification_id = ANY (ARRAY[due.notification_id]) AND d.channel = due.channel AND n.id = ANY (ARRAY[d.notification_id])
    RETURNING d.notification_id, d.channel, d.target, d.attempts, n.context_id, n.run_id, n.category, n.title, n.body,
        (SELECT CAST(a.outcome AS text) FROM run_attempts a
         WHERE a.run_id = n.run_id AND a.state = 'ended' ORDER BY a.attempt DESC LIMIT 1),
        coalesce((SELECT j.name FROM scheduled_jobs j WHERE j.id = n.job_id), '')
"""

SETTLE = """
    UPDATE deliveries
    SET state = :state, reason = :reason, lease_until = NULL, updated_at = clock_timestamp(),
        next_attempt_at = clock_timestamp() + coalesce(CAST(:retry_after AS interval), interval '0')
    WHERE notification_id = :notification_id AND channel = :channel
      AND state || '' = 'pending' AND attempts = :attempts
"""

UNANNOUNCED = """
    SELECT d.notification_id, d.context_id, n.run_id, n.category, d.channel, d.state
    FROM deliveries d JOIN notifications n ON n.id = ANY (ARRAY[d.notification_id])
    WHERE d.state <> 'pending' AND d.announced_at IS NULL
    ORDER BY d.updated_at LIMIT 500
"""

MARK_ANNOUNCED = """
    UPDATE deliveries d SET announced_at = clock_timestamp()
    FROM unnest(CAST(:ids AS uuid[]), CAST(:channels AS text[])) AS u (notification_id, channel)
    WHERE d.notification_id = ANY (ARRAY[u.notification_id]) AND d.channel = u.channel
"""

# Final outcomes that nobody was told about: their event was lost with the stream.
UNTOLD = """
    SELECT CAST(a.outcome AS text)
    FROM run_attempts a
    WHERE a.state = 'ended' AND a.ended_at > :since AND a.ended_at < clock_timestamp() - interval '10 seconds'
      AND CAST(a.outcome ->> 'final' AS boolean) AND a.outcome ->> 'trigger' <> 'dry_run'
      AND (SELECT n.id FROM notifications n
           WHERE n.run_id = a.run_id AND n.attempt = a.attempt AND n.category IN ('success', 'error') LIMIT 1) IS NULL
      AND (SELECT n.id FROM notifications n
           WHERE n.context_id = CAST(a.outcome ->> 'context_id' AS uuid)
             AND n.cause = (a.outcome ->> 'error_cause') || '/' || left(a.outcome ->> 'completed_at', 10)) IS NULL
    ORDER BY a.ended_at LIMIT :limit
"""
# What runs wanted told, and nobody was.
REQUESTED = """
    SELECT r.id, r.context_id, r.run_id, r.job_id, r.title, r.body
    FROM notification_requests r
    WHERE r.created_at > :since AND NOT EXISTS (SELECT 1 FROM notifications n WHERE n.id = ANY (ARRAY[r.id]))
    ORDER BY r.created_at LIMIT :limit
"""
# What nobody has decided upon and nobody was reminded of. When its job is gone it never goes on.
WAITING = """
    WITH late AS MATERIALIZED (
        SELECT id, run_id, tool_name, expires_at, expiry_action FROM pending_actions
        WHERE status = 'pending' AND remind_at <= statement_timestamp() AND expires_at > statement_timestamp()
    )
    SELECT r.context_id, p.run_id, r.attempt, r.schedule_id, r.job_name,
           array_agg(DISTINCT p.tool_name ORDER BY p.tool_name), count(*), min(p.expires_at),
           bool_or(p.expiry_action = 'fail')
    FROM late p
    CROSS JOIN LATERAL (
        SELECT t.context_id, t.attempt, t.schedule_id, t.job_name FROM agent_execution_results t
        WHERE t.run_id = p.run_id AND t.schedule_id IS NOT NULL OFFSET 0) r
    WHERE (SELECT d.action_id FROM approval_decisions d WHERE d.action_id = p.id) IS NULL
      AND (SELECT n.id FROM notifications n
           WHERE n.run_id = p.run_id AND n.attempt = r.attempt AND n.category = 'approval_reminder' LIMIT 1) IS NULL
    GROUP BY r.context_id, p.run_id, r.attempt, r.schedule_id, r.job_name LIMIT :limit
"""
MAX_SWEPT = 500

# Deliveries, and who has read it, go with a notification.
RETENTION = {
    "notifications": """
        WITH old AS MATERIALIZED (
            SELECT n.id FROM notifications n
            WHERE n.created_at < statement_timestamp() - CAST(:retention AS interval)
              AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.notification_id = ANY (ARRAY[n.id]) AND d.state || '' = 'pending')
              AND NOT EXISTS (SELECT 1 FROM occurrences o WHERE o.run_id = ANY (ARRAY[n.run_id]) AND o.state <> 'closed')
            ORDER BY n.created_at, n.id LIMIT :limit FOR UPDATE OF n SKIP LOCKED
        ), gone AS (
            DELETE FROM notifications n USING old WHERE n.id = ANY (ARRAY[old.id])
        )
        SELECT count(*) FROM old
    """
}


@dataclass(frozen=True)
class DueDelivery:
    """A delivery that this process holds; `outcome` is the payload of the run's job.completed."""

    notification_id: UUID
    channel: Channel
    target: str
    attempts: int
    context_id: UUID
    run_id: UUID
    category: Category
    title: str
    body: str
    outcome: str | None
    job_name: str


@dataclass(frozen=True)
class EndedDelivery:
    """A delivery that ended and was not announced yet."""

    notification_id: UUID
    context_id: UUID
    run_id: UUID
    category: Category
    channel: Channel
    state: EndedState


class Repository:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def targets(self, job_ids: Sequence[UUID]) -> dict[UUID, Target]:
        """The channels of the jobs that have one, as they are now."""
        rows = await self._database.fetch(TARGETS, {"job_ids": list(job_ids)})
        return {row[0]: Target(row[1], row[2]) for row in rows}

    async def write(self, notifications: Sequence[Notification], deliveries: Sequence[Delivery]) -> set[UUID]:
        """Writes what is to be told, in one transaction; the ids of the notifications that are new."""
        values = {name: [getattr(one, name) for one in notifications] for name in NOTIFICATION_COLUMNS}
        if not deliveries:
            return {row[0] for row in await self._database.fetch(WRITE_NOTIFICATIONS, values)}
        async with self._database.transaction() as connection:
            new = {row[0] for row in await connection.fetch(WRITE_NOTIFICATIONS, values)}
            if new:
                await connection.execute(WRITE_DELIVERIES, {"rows": _json(deliveries), "new": list(new)})
        return new

    async def claim_due(self, limit: int) -> list[DueDelivery]:
        return [DueDelivery(*row) for row in await self._database.fetch(CLAIM_DUE, {"limit": limit})]

    async def settle(self, delivery: DueDelivery, outcome: Outcome) -> bool:
        """Records how the attempt ended; False when another has claimed the delivery since."""
        settled = await self._database.execute(
            SETTLE,
            {
                "notification_id": delivery.notification_id,
                "channel": delivery.channel,
                "attempts": delivery.attempts,
                "state": outcome.state,
                "reason": outcome.reason,
                "retry_after": outcome.retry_after,
            },
        )
        return settled == 1

    async def unannounced(self) -> list[EndedDelivery]:
        return [EndedDelivery(*row) for row in await self._database.fetch(UNANNOUNCED)]

    async def mark_announced(self, ended: Sequence[EndedDelivery]) -> None:
        await self._database.execute(
            MARK_ANNOUNCED,
            {"ids": [one.notification_id for one in ended], "channels": [one.channel for one in ended]},
        )

    async def now(self) -> datetime:
        rows = await self._database.fetch("SELECT clock_timestamp()")
        moment: datetime = rows[0][0]
        return moment

    async def untold(self, since: datetime) -> list[bytes]:
        """The payloads of final outcomes since then without a notification."""
        rows = await self._database.fetch(UNTOLD, {"since": since, "limit": MAX_SWEPT})
        return [row[0].encode() for row in rows]

    async def waiting(self) -> list[Waiting]:
        """Runs that people are to be reminded of."""
        return [Waiting(*row) for row in await self._database.fetch(WAITING, {"limit": MAX_SWEPT})]

    async def requested(self, since: datetime) -> list[Notification]:
        """What runs wanted told since then, and is not yet."""
        rows = await self._database.fetch(REQUESTED, {"since": since, "limit": MAX_SWEPT})
        return [
            Notification(row.id, row.context_id, row.run_id, 1, row.job_id, "message", row.title, row.body)
            for row in rows
        ]


def _json(rows: Sequence[Any]) -> str:
    return json.dumps([asdict(row) for row in rows], default=str)
