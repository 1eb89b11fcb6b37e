"""Attempts: who holds which, what they came to, and the tools that wrote."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from rota_contracts.events import JobDue
from rota_contracts.ids import session_id_for
from rota_executor.continuity import Continuity
from rota_executor.deadline import Terms
from rota_executor.repository import continuity, resumptions
from rota_executor.repository.effects import Effects
from rota_executor.repository.grants import Grants
from rota_executor.repository.notebooks import Note, write_notes
from rota_executor.resumption import Resumption
from rota_store import Database


class AttemptKey(NamedTuple):
    run_id: UUID
    attempt: int


class Standing(NamedTuple):
    """What the ledger knows of an attempt that was not won."""

    attempt_state: str | None
    occurrence_open: bool
    current_attempt: int | None


@dataclass(frozen=True)
class Ended:
    """An outcome to be written: `outcome` and `transcript` are JSON."""

    key: AttemptKey
    outcome: str
    transcript: str | None
    # What a run that waits for a person goes on from.
    checkpoint: str | None = None
    # What it leaves to later runs of its job.
    carried: str | None = None
    notes: Sequence[Note] = ()


class Claimed(NamedTuple):
    """An attempt that was won; `stop` says why it is to end before it begins."""

    started_at: datetime
    stop: str | None


class Unpublished(NamedTuple):
    """`outcome` is JSON; None where it went with its context."""

    batch: UUID
    key: AttemptKey
    outcome: str | None


# One row per attempt of a batch.
_ATTEMPTS = "unnest(CAST(:run_ids AS uuid[]), CAST(:attempts AS int[])) AS d(run_id, attempt)"
# What a message says of an occurrence is believed only where the ledger says the same.
_OCCURRENCE = (
    "o.run_id = ANY (ARRAY[d.run_id]) AND o.scheduled_for IS NOT DISTINCT FROM d.scheduled_for AND o.job_id IS NOT DISTINCT FROM d.job_id"
    " AND o.context_id IS NOT DISTINCT FROM d.context_id"
)
# Measured by the clock, not by now(): a process that froze after the begin of its transaction is late.
_LEASE = "clock_timestamp() + make_interval(secs => :lease_seconds)"
_RENEWED = f"lease_until = {_LEASE}, changed_xid = pg_current_xact_id()"
_GOES_ON = "ended_at IS NULL AND lease_until > clock_timestamp()"
# Nobody ends the lease before what was written with this row locked is committed.
HELD = f"held AS (SELECT id FROM executors WHERE id = :executor AND {_GOES_ON} FOR KEY SHARE)"
# An attempt that runs under the lease, while the lease goes on.
RUNNING = "a.state || '' = 'running' AND a.executor || '' = :executor AND EXISTS (SELECT 1 FROM held)"
_END = f"""
    WITH {HELD}, ended AS (
        UPDATE run_attempts a
        SET state = 'ended', ended_at = clock_timestamp(),
            outcome = CAST(d.outcome AS jsonb), transcript = CAST(d.transcript AS jsonb),
            checkpoint = d.checkpoint, carried = d.carried
        FROM unnest(CAST(:run_ids AS uuid[]), CAST(:attempts AS int[]), CAST(:outcomes AS text[]),
                    CAST(:transcripts AS text[]), CAST(:checkpoints AS text[]), CAST(:carried AS text[]))
            AS d(run_id, attempt, outcome, transcript, checkpoint, carried)
        WHERE a.run_id = ANY (ARRAY[d.run_id]) AND a.attempt = d.attempt AND {RUNNING}
        RETURNING a.run_id, a.attempt
    ), unpublished AS (
        INSERT INTO unpublished_outcomes (id, run_ids, attempts)
        SELECT CAST(:batch AS uuid), array_agg(run_id), array_agg(attempt) FROM ended HAVING count(*) > 0
    )
    SELECT run_id, attempt FROM ended
"""
# The oldest batches, until they are `limit` outcomes or more.
_UNPUBLISHED = """
    SELECT u.id, k.run_id, k.attempt, CAST(a.outcome AS text)
    FROM (SELECT id, run_ids, attempts,
                 sum(cardinality(run_ids)) OVER (ORDER BY created_at, id) - cardinality(run_ids) AS older
          FROM unpublished_outcomes WHERE created_at < now() - make_interval(secs => :age)) u
    CROSS JOIN LATERAL unnest(u.run_ids, u.attempts) AS k (run_id, attempt)
    LEFT JOIN run_attempts a ON a.run_id = ANY (ARRAY[k.run_id]) AND a.attempt = k.attempt
    WHERE u.older < :limit ORDER BY u.older
"""


class Repository:
    def __init__(self, database: Database, terms: Terms) -> None:
        self._database = database
        self._terms = terms
        self.grants = Grants(database)
        self.effects = Effects(database)

    async def enter(self, executor: str) -> None:
        """Begins the lease of a new executor."""
        await self._database.execute(
            f"""
            INSERT INTO executors (id, lease_until, notice)
            VALUES (:executor, {_LEASE}, make_interval(secs => :notice_seconds))
            """,
            {
                "executor": executor,
                "lease_seconds": self._terms.lease,
                "notice_seconds": self._terms.notice,
            },
        )

    async def renew(self, executors: Sequence[str]) -> set[str]:
        """Extends leases that go on; an executor that is not returned has lost its lease for good."""
        rows = await self._database.fetch(
            f"""
            UPDATE executors SET {_RENEWED}
            WHERE id = ANY (CAST(:executors AS text[])) AND {_GOES_ON}
            RETURNING id
            """,
            {"executors": list(executors), "lease_seconds": self._terms.lease},
        )
        return {row[0] for row in rows}

    async def leave(self, executors: Sequence[str]) -> None:
        """Ends leases before their time."""
        await self._database.execute(
            """
            UPDATE executors SET ended_at = clock_timestamp()
            WHERE id = ANY (CAST(:executors AS text[])) AND ended_at IS NULL
            """,
            {"executors": list(executors)},
        )

    async def claim(self, executor: str, events: Sequence[JobDue]) -> dict[AttemptKey, Claimed] | None:
        """Claims attempts whose occurrence is open and at this attempt; those that this executor has now.

        Asked again, it gives again what it gave before. Renews the lease; None when that is over.
        """
        rows = await self._database.fetch(
            f"""
            WITH held AS (
                UPDATE executors SET {_RENEWED} WHERE id = :executor AND {_GOES_ON} RETURNING id
            ), found AS MATERIALIZED (
                SELECT o.run_id, o.attempt, o.context_id, o.job_id, o.cancel_reason, d.session_id
                FROM unnest(CAST(:run_ids AS uuid[]), CAST(:attempts AS int[]), CAST(:job_ids AS uuid[]),
                            CAST(:context_ids AS uuid[]), CAST(:instants AS timestamptz[]),
                            CAST(:session_ids AS uuid[]))
                    AS d(run_id, attempt, job_id, context_id, scheduled_for, session_id)
                JOIN occurrences o ON {_OCCURRENCE} AND o.attempt = d.attempt AND o.state <> 'closed'
            ), won AS (
                INSERT INTO run_attempts AS a (run_id, attempt, context_id, job_id, executor, state, session_id)
                SELECT f.run_id, f.attempt, f.context_id, f.job_id, h.id, 'running', f.session_id
                FROM found f CROSS JOIN held h
                ON CONFLICT (run_id, attempt) DO UPDATE SET state = excluded.state
                    WHERE a.executor = excluded.executor AND a.state = 'running'
                RETURNING a.run_id, a.attempt, a.started_at
            )
            SELECT CAST(NULL AS uuid), CAST(NULL AS int), CAST(NULL AS timestamptz), CAST(NULL AS text) FROM held
            UNION ALL
            SELECT run_id, attempt, started_at, NULL FROM won
            UNION ALL
            SELECT run_id, attempt, NULL, cancel_reason FROM found WHERE cancel_reason IS NOT NULL
            """,
            {
                **_messages(events),
                "session_ids": [session_id_for(event.run_id, event.attempt) for event in events],
                "executor": executor,
                "lease_seconds": self._terms.lease,
            },
        )
        if all(row[0] for row in rows):  # the one without a run says that the lease goes on
            return None
        # Not joined by PostgreSQL: to it both are of unknown size, and it would compare each with each.
        stops = {row[0]: row[3] for row in rows if row[2] is None}
        return {AttemptKey(row[0], row[1]): Claimed(row[2], stops.get(row[0])) for row in rows if row[2]}

    async def standings(self, events: Sequence[JobDue]) -> dict[AttemptKey, Standing]:
        """Why attempts could not be claimed."""
        rows = await self._database.fetch(
            f"""
            SELECT d.run_id, d.attempt, a.state, o.attempt AS current_attempt,
                   (o.run_id IS NOT NULL AND o.closed_at IS NULL) AS occurrence_open
            FROM unnest(CAST(:run_ids AS uuid[]), CAST(:attempts AS int[]), CAST(:job_ids AS uuid[]),
                        CAST(:context_ids AS uuid[]), CAST(:instants AS timestamptz[]))
                AS d(run_id, attempt, job_id, context_id, scheduled_for)
            LEFT JOIN run_attempts a ON a.run_id = ANY (ARRAY[d.run_id]) AND a.attempt = d.attempt
            LEFT JOIN occurrences o ON {_OCCURRENCE}
            """,
            _messages(events),
        )
        return {
            AttemptKey(row.run_id, row.attempt): Standing(row.state, row.occurrence_open, row.current_attempt)
            for row in rows
        }

    async def agents(
        self, wanted: Sequence[tuple[UUID, str]], job_ids: Sequence[UUID]
    ) -> dict[tuple[UUID, str], str]:
        """The configuration of each (context, name) as JSON; a context's own goes before the system-wide one.

        With the budgets of context and agent, and of those jobs.
        """
        rows = await self._database.fetch(
            """
            SELECT DISTINCT ON (d.context_id, d.name) d.context_id, d.name, jsonb_build_object(
                'id', a.id, 'name', a.name, 'model', a.model, 'system_prompt', a.system_prompt,
                'fallback_models', a.fallback_models, 'model_settings', a.model_settings,
                'examples', a.examples, 'style', a.style, 'grounding', a.grounding, 'limits', a.limits,
                'revision', a.revision,
                'tools', coalesce((
                    SELECT jsonb_agg(jsonb_build_object(
                        'tool_name', t.tool_name, 'mode', t.mode, 'policy', t.policy,
                        'arguments', t.arguments) ORDER BY t.position, t.tool_name)
                    FROM agent_tools t WHERE t.agent_id = a.id), '[]'),
                'budgets', coalesce((
                    SELECT jsonb_agg(jsonb_build_object(
                        'id', b.id, 'period', b.period, 'policy', b.policy, 'job_id', b.job_id,
                        'agent_name', b.agent_name, 'tokens_limit', b.tokens_limit,
                        'cost_limit', CAST(b.cost_limit AS text), 'fallback_model', b.fallback_model) ORDER BY b.id)
                    FROM budgets b WHERE b.context_id = d.context_id
                        AND (b.agent_name IS NULL OR b.agent_name = d.name)
                        AND (b.job_id IS NULL OR b.job_id = ANY (CAST(:job_ids AS uuid[])))), '[]')
                )::text AS document
            FROM unnest(CAST(:contexts AS uuid[]), CAST(:names AS text[])) AS d(context_id, name)
            JOIN agent_configurations a
                ON a.name = d.name AND (a.context_id = d.context_id OR a.context_id IS NULL)
            ORDER BY d.context_id, d.name, a.context_id NULLS LAST
            """,
            {
                "contexts": [context for context, _ in wanted],
                "names": [name for _, name in wanted],
                "job_ids": list(job_ids),
            },
        )
        return {(row.context_id, row.name): row.document for row in rows}

    async def stops(self, keys: Sequence[tuple[UUID, datetime]]) -> dict[UUID, str]:
        """Which of the runs, named by id and nominal instant, are to stop, and why."""
        rows = await self._database.fetch(
            """
            SELECT o.run_id, coalesce(o.cancel_reason, '')
            FROM unnest(CAST(:run_ids AS uuid[]), CAST(:instants AS timestamptz[])) AS d(run_id, scheduled_for)
            JOIN occurrences o ON o.run_id = ANY (ARRAY[d.run_id]) AND o.scheduled_for IS NOT DISTINCT FROM d.scheduled_for
            WHERE o.cancelled_at IS NOT NULL
            """,
            {"run_ids": [run_id for run_id, _ in keys], "instants": [instant for _, instant in keys]},
        )
        return {row[0]: row[1] for row in rows}

    async def end(self, executor: str, outcomes: Sequence[Ended], batch: UUID) -> set[AttemptKey]:
        """Writes outcomes of attempts while the lease goes on; the others have no outcome from here.

        What was written is to be published, as `batch`.
        """
        values = {
            **_arrays([ended.key for ended in outcomes]),
            "outcomes": [ended.outcome for ended in outcomes],
            "transcripts": [ended.transcript for ended in outcomes],
            "checkpoints": [ended.checkpoint for ended in outcomes],
            "carried": [ended.carried for ended in outcomes],
            "executor": executor,
            "batch": batch,
        }
        if not any(one.notes for one in outcomes):
            rows = await self._database.fetch(_END, values)
            return {AttemptKey(row.run_id, row.attempt) for row in rows}
        async with self._database.transaction() as connection:
            rows = await connection.fetch(_END, values)
            ended = {AttemptKey(row.run_id, row.attempt) for row in rows}
            await write_notes(
                connection, [note for one in outcomes if one.key in ended for note in one.notes]
            )
        return ended

    async def begin_effect(
        self, executor: str, key: AttemptKey, call_id: str, tool_name: str, arguments: str | None
    ) -> str | None:
        """Enters a call that writes, before it is made; its id, or None when the attempt is not held any more.

        `arguments` are JSON.
        """
        rows = await self._database.fetch(
            f"""
            WITH {HELD}
            INSERT INTO tool_effects (run_id, attempt, call_id, context_id, tool_name, state, arguments)
            SELECT a.run_id, a.attempt,
                   CAST(:call_id AS text) || '/' || (SELECT count(*) FROM tool_effects e WHERE e.run_id = a.run_id),
                   a.context_id, :tool_name, 'started', CAST(:arguments AS jsonb)
            FROM run_attempts a
            WHERE a.run_id = :run_id AND a.attempt = :attempt AND {RUNNING}
            RETURNING call_id
            """,
            {
                **key._asdict(),
                "call_id": call_id,
                "tool_name": tool_name,
                "arguments": arguments,
                "executor": executor,
            },
        )
        return rows[0][0] if rows else None

    async def end_effect(self, key: AttemptKey, effect: str, state: str) -> None:
        """Closes a call that was made."""
        await self._database.execute(
            """
            UPDATE tool_effects SET state = :state, ended_at = clock_timestamp()
            WHERE run_id = :run_id AND attempt = :attempt AND call_id = :effect
            """,
            {**key._asdict(), "effect": effect, "state": state},
        )

    async def resumption(self, run_id: UUID, attempt: int) -> Resumption | None:
        """What a run goes on from that parked in this attempt; None when nothing is kept of it."""
        return await resumptions.load(self._database, run_id, attempt)

    async def continuing(self, job_ids: Sequence[UUID]) -> set[UUID]:
        """Those of the jobs whose runs know of those before them."""
        return await continuity.continuing(self._database, job_ids)

    async def continuity(self, job_id: UUID, run_id: UUID) -> Continuity:
        """What earlier runs of the job left to this one."""
        return await continuity.load(self._database, job_id, run_id)

    async def release(self, executor: str, keys: Sequence[AttemptKey]) -> int:
        """Hands unfinished attempts over: the ticker may dispatch their runs again at once."""
        return await self._database.execute(
            f"""
            WITH {HELD}
            UPDATE run_attempts a SET state = 'released'
            FROM {_ATTEMPTS}
            WHERE a.run_id = ANY (ARRAY[d.run_id]) AND a.attempt = d.attempt AND {RUNNING}
            """,
            {**_arrays(keys), "executor": executor},
        )

    async def mark_published(self, batches: Sequence[UUID]) -> None:
        await self._database.execute(
            "DELETE FROM unpublished_outcomes WHERE id = ANY (CAST(:batches AS uuid[]))",
            {"batches": list(batches)},
        )

    async def unpublished(self, *, older_than_seconds: float, limit: int) -> list[Unpublished]:
        """Outcomes whose publication nobody has confirmed, of any executor: the oldest batches, whole."""
        rows = await self._database.fetch(_UNPUBLISHED, {"age": older_than_seconds, "limit": limit})
        return [Unpublished(row[0], AttemptKey(row[1], row[2]), row[3]) for row in rows]


def _messages(events: Sequence[JobDue]) -> dict[str, list[object]]:
    return {
        **_arrays([AttemptKey(event.run_id, event.attempt) for event in events]),
        "job_ids": [event.job_id for event in events],
        "context_ids": [event.context_id for event in events],
        "instants": [event.scheduled_for for event in events],
    }


def _arrays(keys: Sequence[AttemptKey]) -> dict[str, list[object]]:
    return {"run_ids": [key.run_id for key in keys], "attempts": [key.attempt for key in keys]}
