"""Agents with their links to tools, and every revision of them."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from rota_gateway.repository.connection import Connection, Row, decoded, row, rows, run

# What a save can change, beside the links.
COLUMNS = (
    "description",
    "model",
    "fallback_models",
    "system_prompt",
    "model_settings",
    "examples",
    "style",
    "grounding",
    "limits",
    "max_concurrent_runs",
    "approval_expiry_seconds",
    "approval_expiry_action",
)
JSON_COLUMNS = ("fallback_models", "model_settings", "examples", "limits")
LINKS = """coalesce((
    SELECT jsonb_agg(jsonb_build_object(
        'tool_name', l.tool_name, 'mode', l.mode, 'policy', l.policy, 'arguments', l.arguments)
        ORDER BY l.position, l.tool_name)
    FROM agent_tools l WHERE l.agent_id = a.id), '[]')"""
SELECT = f"""
    SELECT a.id, a.context_id, a.name, {", ".join(f"a.{column}" for column in COLUMNS)}, a.revision, a.shipped_hash,
           a.created_at, a.updated_at, {LINKS} AS tools
    FROM agent_configurations a
"""
# The shared ones that a context has not replaced by its own, and its own.
OF_CONTEXT = """
    (a.context_id = :context_id OR (a.context_id IS NULL AND NOT EXISTS (
        SELECT 1 FROM agent_configurations own WHERE own.context_id = :context_id AND own.name = a.name)))
"""


async def page(
    connection: Connection, after: tuple[datetime, UUID] | None, limit: int, context_id: UUID | None = None
) -> list[Row]:
    """Oldest first; with a context, those that its jobs get."""
    created_at, agent_id = after or (None, None)
    found = await rows(
        connection,
        f"""
        {SELECT}
        WHERE (CAST(:created_at AS timestamptz) IS NULL OR (a.created_at, a.id) > (:created_at, :agent_id))
          AND (CAST(:context_id AS uuid) IS NULL OR {OF_CONTEXT})
        ORDER BY a.created_at, a.id LIMIT :limit
        """,
        created_at=created_at,
        agent_id=agent_id,
        context_id=context_id,
        limit=limit,
    )
    return [_plain(one) for one in found]


async def named(connection: Connection, name: str) -> list[Row]:
    """All agents of that name that the user may see, the shared one first."""
    found = await rows(
        connection, f"{SELECT} WHERE a.name = :name ORDER BY a.context_id NULLS FIRST", name=name
    )
    return [_plain(one) for one in found]


async def get(connection: Connection, agent_id: UUID) -> Row | None:
    found = await row(connection, f"{SELECT} WHERE a.id = :id", id=agent_id)
    return found and _plain(found)


async def lock(connection: Connection, agent_id: UUID) -> Row | None:
    """The agent, which nobody else changes until the transaction ends; None when it has just been deleted."""
    await rows(connection, "SELECT 1 FROM agent_configurations WHERE id = :id FOR UPDATE", id=agent_id)
    return await get(connection, agent_id)


async def add(
    connection: Connection,
    name: str,
    context_id: UUID | None,
    definition: Mapping[str, Any],
    *,
    user_id: UUID | None,
    shipped_hash: bytes | None = None,
) -> UUID:
    """Inserts an agent, for every context where none is named. Counting goes on after one that was deleted."""
    added = await row(
        connection,
        f"""
        INSERT INTO agent_configurations (name, context_id, shipped_hash, revision, {", ".join(COLUMNS)})
        VALUES (:name, :context_id, :shipped_hash, 1 + coalesce((
                    SELECT max(r.revision) FROM agent_revisions r
                    WHERE r.name = :name AND r.context_id IS NOT DISTINCT FROM :context_id), 0),
                {", ".join(_place(column) for column in COLUMNS)})
        RETURNING id
        """,
        name=name,
        context_id=context_id,
        shipped_hash=shipped_hash,
        **_encoded(definition),
    )
    assert added is not None
    agent_id: UUID = added["id"]
    await _link(connection, agent_id, definition["tools"])
    await _keep(connection, agent_id, user_id)
    return agent_id


async def update(
    connection: Connection,
    agent_id: UUID,
    definition: Mapping[str, Any],
    *,
    user_id: UUID | None,
    shipped_hash: bytes | None = None,
) -> None:
    """Makes the agent what the definition says: a new revision."""
    await run(
        connection,
        f"""
        UPDATE agent_configurations
        SET {", ".join(f"{column} = {_place(column)}" for column in COLUMNS)},
            shipped_hash = coalesce(:shipped_hash, shipped_hash), revision = revision + 1, updated_at = clock_timestamp()
        WHERE id = :id
        """,
        id=agent_id,
        shipped_hash=shipped_hash,
        **_encoded(definition),
    )
    await run(connection, "DELETE FROM agent_tools WHERE agent_id = :id", id=agent_id)
    await _link(connection, agent_id, definition["tools"])
    await _keep(connection, agent_id, user_id)


async def delete(connection: Connection, agent_id: UUID) -> None:
    await run(connection, "DELETE FROM agent_configurations WHERE id = :id", id=agent_id)


async def users(connection: Connection, agent_id: UUID, limit: int) -> tuple[int, list[Row]]:
    """How many jobs run the agent, and the first of them with the names of their contexts."""
    found = await rows(
        connection,
        """
        SELECT j.name, c.name AS context_name, count(*) OVER () AS total
        FROM agent_configurations a
        JOIN scheduled_jobs j ON j.agent_name = a.name AND j.tool IS NULL
            AND (j.context_id = a.context_id OR (a.context_id IS NULL AND NOT EXISTS (
                SELECT 1 FROM agent_configurations own
                WHERE own.name = a.name AND own.context_id = j.context_id)))
        JOIN contexts c ON c.id = j.context_id
        WHERE a.id = :id ORDER BY c.name, j.name LIMIT :limit
        """,
        id=agent_id,
        limit=limit,
    )
    return (found[0]["total"] if found else 0), found


async def was_there(connection: Connection, name: str) -> bool:
    """Whether there ever was a shared agent of that name."""
    found = await row(
        connection,
        "SELECT EXISTS (SELECT 1 FROM agent_revisions WHERE name = :name AND context_id IS NULL) AS was_there",
        name=name,
    )
    return bool(found and found["was_there"])


async def revisions(
    connection: Connection, name: str, context_id: UUID | None, after: int | None, limit: int
) -> list[Row]:
    """The newest first, also of agents that are deleted; below revision `after`."""
    found = await rows(
        connection,
        """
        SELECT r.agent_id, r.revision, r.context_id, r.name, r.definition, r.created_at,
               coalesce(nullif(u.display_name, ''), u.email) AS created_by
        FROM agent_revisions r LEFT JOIN users u ON u.id = r.created_by
        WHERE r.name = :name AND r.context_id IS NOT DISTINCT FROM :context_id
          AND (CAST(:after AS integer) IS NULL OR r.revision < :after)
        ORDER BY r.revision DESC LIMIT :limit
        """,
        name=name,
        context_id=context_id,
        after=after,
        limit=limit,
    )
    return [{**one, **decoded(one["definition"])} for one in found]


async def _link(connection: Connection, agent_id: UUID, links: list[Mapping[str, Any]]) -> None:
    await run(
        connection,
        """
        INSERT INTO agent_tools (agent_id, tool_name, mode, policy, arguments, position)
        SELECT :id, l.link ->> 'tool_name', l.link ->> 'mode', l.link ->> 'policy', l.link -> 'arguments', l.number
        FROM jsonb_array_elements(CAST(:links AS jsonb)) WITH ORDINALITY AS l (link, number)
        """,
        id=agent_id,
        links=json.dumps(links),
    )


async def _keep(connection: Connection, agent_id: UUID, user_id: UUID | None) -> None:
    """Writes down what the agent is now, as its newest revision."""
    fields = ", ".join(f"'{column}', a.{column}" for column in COLUMNS)
    await run(
        connection,
        f"""
        INSERT INTO agent_revisions (agent_id, revision, context_id, name, definition, created_by, created_at)
        SELECT a.id, a.revision, a.context_id, a.name, jsonb_build_object({fields}, 'tools', {LINKS}), :user_id, a.updated_at
        FROM agent_configurations a WHERE a.id = :id
        """,
        id=agent_id,
        user_id=user_id,
    )


def _place(column: str) -> str:
    return f"CAST(:{column} AS jsonb)" if column in JSON_COLUMNS else f":{column}"


def _encoded(definition: Mapping[str, Any]) -> dict[str, Any]:
    return {
        column: json.dumps(definition[column]) if column in JSON_COLUMNS else definition[column]
        for column in COLUMNS
    }


def _plain(found: Row) -> Row:
    return {
        name: decoded(value) if name in (*JSON_COLUMNS, "tools") else value for name, value in found.items()
    }
