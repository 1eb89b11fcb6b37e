"""Writes what a new system starts with: each part only where it is missing or still as it was shipped."""

import hashlib
import json
from typing import Any
from uuid import UUID

from rota_chassis import logs
from rota_gateway.bootstrap.agents import shipped_agents
from rota_gateway.bootstrap.models import default_model
from rota_gateway.repository import agents, api_keys, contexts, jobs, users
from rota_gateway.repository.connection import Connection, Row
from rota_gateway.settings import BootstrapSettings
from rota_gateway.tokens import digest, shown_prefix
from rota_store import Database

log = logs.logger(__name__)

ADMIN_EMAIL = "admin@localhost"
DEMO_CONTEXT = {"name": "Demo", "max_concurrent_runs": 3, "min_period_seconds": 60}
DEMO_JOB = {
    "name": "Watch this machine",
    "description": "Looks at this machine and at Rota's own services every minute, and says how they are.",
    "cron_expression": "* * * * *",
    "agent_name": "watchman",
    "skill_prompt": "Report the state of this machine: its disk, its memory, its load and Rota's services.",
    "timeout_seconds": 120,
}


async def bootstrap(database: Database, settings: BootstrapSettings, *, with_demo: bool) -> None:
    """Brings the database to what a system starts with; may run at any time, and twice at once."""
    async with database.transaction() as connection:
        await users.hold_bootstrap(connection)
        user_id = await users.ensure_admin(connection, ADMIN_EMAIL, "Administrator")
        key = settings.api_key.get_secret_value()
        await api_keys.ensure_bootstrap(connection, user_id, prefix=shown_prefix(key), key_hash=digest(key))
    async with database.transaction(user_id) as connection:
        await users.hold_bootstrap(connection)
        model = default_model(settings)
        for agent in shipped_agents(model, with_demo=with_demo):
            await _ship(connection, agent)
        if with_demo:
            await _demo(connection, user_id)
    log.info("the system is seeded", action="bootstrapped", model=model, demo=with_demo)


async def _ship(connection: Connection, agent: dict[str, Any]) -> None:
    name, shipped_hash = agent["name"], fingerprint(agent)
    stored = next((one for one in await agents.named(connection, name) if one["context_id"] is None), None)
    if stored is None:
        if await agents.was_there(connection, name):
            log.info("an agent stays deleted", action="agent_kept", agent=name)
        else:
            await agents.add(connection, name, None, agent, user_id=None, shipped_hash=shipped_hash)
    elif stored["shipped_hash"] != fingerprint(stored):
        log.info("an agent is left as it was edited", action="agent_kept", agent=name)
    elif stored["shipped_hash"] != shipped_hash:
        await agents.update(connection, stored["id"], agent, user_id=None, shipped_hash=shipped_hash)


def fingerprint(agent: dict[str, Any] | Row) -> bytes:
    """Of everything in an agent that an edit can change."""
    told = {name: agent[name] for name in agents.COLUMNS if agent[name] is not None}
    told["tools"] = [{**link, "position": position} for position, link in enumerate(agent["tools"])]
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).digest()


async def _demo(connection: Connection, user_id: UUID) -> None:
    # Where the context is there already its jobs are the user's business, a deleted one too.
    if await contexts.exists(connection, str(DEMO_CONTEXT["name"])):
        return
    context_id = await contexts.add(connection, user_id, DEMO_CONTEXT)
    await jobs.add(connection, {**DEMO_JOB, "context_id": context_id, "owner_id": user_id})
