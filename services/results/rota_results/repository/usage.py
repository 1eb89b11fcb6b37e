"""What attempts spent: a row for each model, also of an attempt that is tried again."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from rota_contracts.events import JobCompleted
from rota_store import Connection, Database

# That of a deleted context is dropped with it; that of a deleted job stays, under its name. What is known of an
# attempt only grows.
_MORE = """
    ON CONFLICT (run_id, attempt, model) DO UPDATE
    SET used_at = excluded.used_at, requests = excluded.requests, input_tokens = excluded.input_tokens,
        output_tokens = excluded.output_tokens, cost_usd = excluded.cost_usd,
        unpriced_requests = excluded.unpriced_requests
    WHERE excluded.requests > u.requests
"""
SPEND = f"""
    INSERT INTO model_usage AS u (run_id, attempt, model, context_id, job_id, job_name, agent_name, used_at, requests,
                             input_tokens, output_tokens, cost_usd, unpriced_requests)
    SELECT DISTINCT ON (r.run_id, r.attempt, r.model)
           r.run_id, r.attempt, r.model, r.context_id, r.job_id, r.job_name, r.agent_name, r.used_at, r.requests,
           r.input_tokens, r.output_tokens, r.cost_usd, r.unpriced_requests
    FROM unnest(CAST(:run_id AS uuid[]), CAST(:attempt AS int[]), CAST(:model AS text[]),
                CAST(:context_id AS uuid[]), CAST(:job_id AS uuid[]), CAST(:job_name AS text[]),
                CAST(:agent_name AS text[]), CAST(:used_at AS timestamptz[]), CAST(:requests AS int[]),
                CAST(:input_tokens AS bigint[]), CAST(:output_tokens AS bigint[]), CAST(:cost_usd AS numeric[]),
                CAST(:unpriced_requests AS int[]))
        AS r (run_id, attempt, model, context_id, job_id, job_name, agent_name, used_at, requests, input_tokens,
              output_tokens, cost_usd, unpriced_requests)
    JOIN contexts c ON c.id = ANY (ARRAY[r.context_id])
    ORDER BY r.run_id, r.attempt, r.model, r.requests DESC
    {_MORE}
"""

# Attempts that will have no outcome: their executor is gone, or they were handed over, and the ledger is at
# another one, or through with the run. If one comes all the same, it says at least as much.
SPEND_OF_LOST = f"""
    WITH lost AS MATERIALIZED (
        SELECT a.run_id, a.attempt, a.context_id, a.job_id, a.spent, a.spent_at
        FROM run_attempts a
        WHERE a.spent IS NOT NULL AND a.state <> 'ended' AND a.spent_at > CAST(:since AS timestamptz)
          AND NOT EXISTS (SELECT 1 FROM occurrences o
                          WHERE o.run_id = ANY (ARRAY[a.run_id]) AND o.attempt = a.attempt AND o.state <> 'closed')
          AND NOT EXISTS (SELECT 1 FROM model_usage k WHERE k.run_id = ANY (ARRAY[a.run_id]) AND k.attempt = a.attempt)
        ORDER BY a.spent_at LIMIT :limit
    )
    INSERT INTO model_usage AS u (run_id, attempt, model, context_id, job_id, job_name, agent_name, used_at, requests,
                                  input_tokens, output_tokens, cost_usd, unpriced_requests)
    SELECT l.run_id, l.attempt, m.model, l.context_id, l.job_id, l.spent ->> 'job_name', l.spent ->> 'agent_name',
           l.spent_at, m.requests, m.input_tokens, m.output_tokens, m.cost_usd, m.unpriced_requests
    FROM lost l JOIN contexts c ON c.id = ANY (ARRAY[l.context_id])
    CROSS JOIN LATERAL jsonb_to_recordset(l.spent -> 'models') AS m (
        model text, requests int, input_tokens bigint, output_tokens bigint, cost_usd numeric, unpriced_requests int)
    ORDER BY l.run_id, l.attempt, m.model
    {_MORE}
    RETURNING u.run_id
"""

RETENTION = """
    WITH old AS MATERIALIZED (
        SELECT run_id, attempt, model FROM model_usage
        WHERE used_at < statement_timestamp() - CAST(:retention AS interval)
        ORDER BY used_at LIMIT :limit
    ), gone AS (
        DELETE FROM model_usage u USING old
        WHERE u.run_id = ANY (ARRAY[old.run_id]) AND u.attempt = old.attempt AND u.model = old.model
    )
    SELECT count(*) FROM old
"""


async def spend(connection: Connection, events: Sequence[JobCompleted]) -> None:
    """Adds what is not known yet, as part of a transaction."""
    if any(event.model_usage for event in events):
        await connection.execute(SPEND, usage_columns(events))


async def spend_of_lost(database: Database, since: datetime, limit: int) -> int:
    """Adds what attempts without an outcome have spent since then; how many rows."""
    return len(await database.fetch(SPEND_OF_LOST, {"since": since, "limit": limit}))


def usage_columns(events: Sequence[JobCompleted]) -> dict[str, list[Any]]:
    """The columns of model_usage, a value for each event and model in each."""
    rows = [(event, used) for event in events for used in event.model_usage]
    of_event = ("run_id", "attempt", "context_id", "job_id")
    of_model = ("requests", "input_tokens", "output_tokens", "cost_usd", "unpriced_requests")
    return {
        **{name: [getattr(event, name) for event, _ in rows] for name in of_event},
        **{name: [getattr(used, name) for _, used in rows] for name in of_model},
        "model": [_text(used.model) for _, used in rows],
        "job_name": [_text(event.job_name) for event, _ in rows],
        "agent_name": [_text(event.agent_name) for event, _ in rows],
        "used_at": [event.completed_at for event, _ in rows],
    }


def _text(value: str) -> str:
    return value.replace("\0", "")
