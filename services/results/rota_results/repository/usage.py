"""What attempts spent: a row for each model, also of an attempt that is tried again."""

from collections.abc import Sequence
from typing import Any

from rota_contracts.events import JobCompleted
from rota_store import Connection

# That of a deleted context is dropped with it; that of a deleted job stays, under its name.
SPEND = """
    INSERT INTO model_usage (run_id, attempt, model, context_id, job_id, job_name, agent_name, used_at, requests,
                             input_tokens, output_tokens, cost_usd, unpriced_requests)
    SELECT r.run_id, r.attempt, r.model, r.context_id, r.job_id, r.job_name, r.agent_name, r.used_at, r.requests,
           r.input_tokens, r.output_tokens, r.cost_usd, r.unpriced_requests
    FROM unnest(CAST(:run_id AS uuid[]), CAST(:attempt AS int[]), CAST(:model AS text[]),
                CAST(:context_id AS uuid[]), CAST(:job_id AS uuid[]), CAST(:job_name AS text[]),
                CAST(:agent_name AS text[]), CAST(:used_at AS timestamptz[]), CAST(:requests AS int[]),
                CAST(:input_tokens AS bigint[]), CAST(:output_tokens AS bigint[]), CAST(:cost_usd AS numeric[]),
                CAST(:unpriced_requests AS int[]))
        AS r (run_id, attempt, model, context_id, job_id, job_name, agent_name, used_at, requests, input_tokens,
              output_tokens, cost_usd, unpriced_requests)
    JOIN contexts c ON c.id = r.context_id
    ORDER BY r.run_id, r.attempt, r.model
    ON CONFLICT DO NOTHING
"""

RETENTION = """
    WITH old AS MATERIALIZED (
        SELECT run_id, attempt, model FROM model_usage
        WHERE used_at < statement_timestamp() - CAST(:retention AS interval)
        ORDER BY used_at LIMIT :limit
    ), gone AS (
        DELETE FROM model_usage u USING old
        WHERE u.run_id = old.run_id AND u.attempt = old.attempt AND u.model = old.model
    )
    SELECT count(*) FROM old
"""


async def spend(connection: Connection, events: Sequence[JobCompleted]) -> None:
    """Adds what is not known yet, as part of a transaction."""
    if any(event.model_usage for event in events):
        await connection.execute(SPEND, usage_columns(events))


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
