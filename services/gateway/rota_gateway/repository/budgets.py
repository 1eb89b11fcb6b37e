"""Budgets, with what is used of them in the period that goes on."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from rota_gateway.repository.agents import OF_CONTEXT
from rota_gateway.repository.connection import Connection, Row, decoded, row, rows, run

SELECT = """
    SELECT b.id, b.context_id, b.job_id, j.name AS job_name, b.agent_name, b.period, b.tokens_limit, b.cost_limit,
           b.policy, b.fallback_model, b.created_at, b.updated_at, n.period_start,
           coalesce(p.used_tokens, 0) AS used_tokens, coalesce(p.used_cost, 0) AS used_cost,
           coalesce(p.reserved_tokens, 0) AS reserved_tokens, coalesce(p.reserved_cost, 0) AS reserved_cost
    FROM budgets b
    CROSS JOIN LATERAL (SELECT date_trunc(b.period, clock_timestamp(), 'UTC') AS period_start) n
    LEFT JOIN budget_periods p ON p.budget_id = b.id AND p.period_start = n.period_start
    LEFT JOIN scheduled_jobs j ON j.id = b.job_id
"""
CHANGEABLE = ("tokens_limit", "cost_limit", "policy", "fallback_model")


async def page(
    connection: Connection, context_id: UUID, after: tuple[datetime, UUID] | None, limit: int
) -> list[Row]:
    """Of a context, oldest first."""
    created_at, budget_id = after or (None, None)
    return await rows(
        connection,
        f"""
        {SELECT}
        WHERE b.context_id = :context_id
          AND (CAST(:created_at AS timestamptz) IS NULL OR (b.created_at, b.id) > (:created_at, :budget_id))
        ORDER BY b.created_at, b.id LIMIT :limit
        """,
        context_id=context_id,
        created_at=created_at,
        budget_id=budget_id,
        limit=limit,
    )


async def get(connection: Connection, budget_id: UUID) -> Row | None:
    return await row(connection, f"{SELECT} WHERE b.id = :id", id=budget_id)


async def lock(connection: Connection, budget_id: UUID) -> None:
    """Nobody else changes it until the transaction ends."""
    await rows(connection, "SELECT 1 FROM budgets WHERE id = :id FOR UPDATE", id=budget_id)


async def add(
    connection: Connection, context_id: UUID, definition: Mapping[str, Any], *, user_id: UUID
) -> UUID:
    added = await row(
        connection,
        """
        INSERT INTO budgets (context_id, job_id, agent_name, period, tokens_limit, cost_limit, policy, fallback_model,
                             created_by)
        VALUES (:context_id, :job_id, :agent_name, :period, :tokens_limit, :cost_limit, :policy, :fallback_model,
                :user_id)
        RETURNING id
        """,
        context_id=context_id,
        user_id=user_id,
        **definition,
    )
    assert added is not None
    budget_id: UUID = added["id"]
    return budget_id


async def update(connection: Connection, budget_id: UUID, budget: Mapping[str, Any]) -> None:
    await run(
        connection,
        f"""
        UPDATE budgets SET {", ".join(f"{name} = :{name}" for name in CHANGEABLE)}, updated_at = clock_timestamp()
        WHERE id = :id
        """,
        id=budget_id,
        **{name: budget[name] for name in CHANGEABLE},
    )


async def delete(connection: Connection, budget_id: UUID) -> None:
    await run(connection, "DELETE FROM budgets WHERE id = :id", id=budget_id)


async def concerned(
    connection: Connection, context_id: UUID, *, job_id: UUID | None, agent_name: str | None
) -> list[Row]:
    """The agents whose runs a budget counts: name and models."""
    found = await rows(
        connection,
        f"""
        SELECT a.name, a.model, a.fallback_models FROM agent_configurations a
        WHERE {OF_CONTEXT} AND (a.name = :agent_name OR a.name IN (
            SELECT j.agent_name FROM scheduled_jobs j
            WHERE j.context_id = :context_id AND j.tool IS NULL
              AND CAST(:agent_name AS text) IS NULL AND (CAST(:job_id AS uuid) IS NULL OR j.id = :job_id)))
        ORDER BY a.name
        """,
        context_id=context_id,
        job_id=job_id,
        agent_name=agent_name,
    )
    return [{**one, "fallback_models": decoded(one["fallback_models"])} for one in found]


async def job_context(connection: Connection, job_id: UUID) -> UUID | None:
    """The context of a job that the user may see."""
    found = await row(connection, "SELECT context_id FROM scheduled_jobs WHERE id = :id", id=job_id)
    return found["context_id"] if found else None
