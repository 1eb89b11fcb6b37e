import json
from datetime import datetime
from typing import Any
from uuid import UUID

from rota_gateway.repository.connection import Connection, Row, decoded, row, rows, run

JSON_COLUMNS = ("fallback_models", "model_settings", "examples", "limits")
LINK_COLUMNS = ("tool_name", "mode", "policy", "arguments", "position")
SELECT = """
    SELECT a.id, a.context_id, a.name, a.description, a.model, a.fallback_models, a.system_prompt,
           a.model_settings, a.examples, a.style, a.grounding, a.limits, a.revision, a.shipped_hash, a.created_at, a.updated_at,
        coalesce((
            SELECT jsonb_agg(jsonb_build_object(
                'tool_name', l.tool_name, 'mode', l.mode, 'policy', l.policy, 'arguments', l.arguments,
                'position', l.position) ORDER BY l.position, l.tool_name)
            FROM agent_tools l WHERE l.agent_id = a.id), '[]') AS tools
    FROM agent_configurations a
"""


async def page(connection: Connection, after: tuple[datetime, UUID] | None, limit: int) -> list[Row]:
    """Oldest first."""
    created_at, agent_id = after or (None, None)
    found = await rows(
        connection,
        f"""
        {SELECT}
        WHERE CAST(:created_at AS timestamptz) IS NULL OR (a.created_at, a.id) > (:created_at, :agent_id)
        ORDER BY a.created_at, a.id LIMIT :limit
        """,
        created_at=created_at,
        agent_id=agent_id,
        limit=limit,
    )
    return [_plain(one) for one in found]


async def get(connection: Connection, name: str, context_id: UUID | None) -> Row | None:
    """The agent as a job of the context gets it: the context's own of that name, else the shared one."""
    found = await row(
        connection,
        f"""
        {SELECT}
        WHERE a.name = :name AND (a.context_id IS NULL OR a.context_id = CAST(:context_id AS uuid))
        ORDER BY a.context_id NULLS LAST LIMIT 1
        """,
        name=name,
        context_id=context_id,
    )
    return _plain(found) if found else None


async def add(connection: Connection, agent: dict[str, Any], shipped_hash: bytes) -> None:
    """Inserts an agent for every context, with its `tools`."""
    columns = [name for name in agent if name != "tools"]
    await run(
        connection,
        f"""
        INSERT INTO agent_configurations ({", ".join(columns)}, shipped_hash)
        VALUES ({_placeholders(columns)}, :shipped_hash)
        """,
        shipped_hash=shipped_hash,
        **_encoded({name: agent[name] for name in columns}),
    )
    await _link(connection, agent)


async def replace(connection: Connection, agent: dict[str, Any], shipped_hash: bytes) -> None:
    """Makes the shared agent of that name what `agent` says: a new revision."""
    columns = [name for name in agent if name not in {"tools", "name"}]
    assignments = ", ".join(f"{name} = {_placeholders([name])}" for name in columns)
    await run(
        connection,
        f"""
        UPDATE agent_configurations SET {assignments}, shipped_hash = :shipped_hash, revision = revision + 1, updated_at = now()
        WHERE name = :name AND context_id IS NULL
        """,
        shipped_hash=shipped_hash,
        name=agent["name"],
        **_encoded({name: agent[name] for name in columns}),
    )
    await run(
        connection,
        """
        DELETE FROM agent_tools WHERE agent_id IN
            (SELECT id FROM agent_configurations WHERE name = :name AND context_id IS NULL)
        """,
        name=agent["name"],
    )
    await _link(connection, agent)


async def _link(connection: Connection, agent: dict[str, Any]) -> None:
    for link in agent["tools"]:
        await run(
            connection,
            f"""
            INSERT INTO agent_tools (agent_id, {", ".join(LINK_COLUMNS)})
            SELECT id, :tool_name, :mode, :policy, CAST(:arguments AS jsonb), :position
            FROM agent_configurations WHERE name = :name AND context_id IS NULL
            """,
            name=agent["name"],
            **{**link, "arguments": json.dumps(link["arguments"])},
        )


def _placeholders(columns: list[str]) -> str:
    return ", ".join(f"CAST(:{name} AS jsonb)" if name in JSON_COLUMNS else f":{name}" for name in columns)


def _encoded(values: dict[str, Any]) -> dict[str, Any]:
    return {name: json.dumps(value) if name in JSON_COLUMNS else value for name, value in values.items()}


def _plain(found: Row) -> Row:
    return {
        name: decoded(value) if name in (*JSON_COLUMNS, "tools") else value for name, value in found.items()
    }
