"""What one test sees: its own database, empty streams, and short ways to fill them."""

import contextlib
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import nats
from nats.aio.client import Client

from rota_bus import Bus
from rota_store import Database
from tests.support.servers import Servers


class World:
    def __init__(self, servers: Servers, name: str, admin: Client) -> None:
        self.servers = servers
        self.name = name
        self.nats_admin = admin
        self._owner = Database(servers.postgres.admin_url(name), application="test")
        self._closing = contextlib.AsyncExitStack()

    @classmethod
    @contextlib.asynccontextmanager
    async def created(cls, servers: Servers) -> AsyncIterator["World"]:
        name = servers.databases.take()
        admin = await nats.connect(servers.nats.url, nkeys_seed_str=servers.nats.seed("admin"))
        await delete_streams(admin)
        world = cls(servers, name, admin)
        try:
            yield world
        finally:
            await world._closing.aclose()
            await world._owner.close()
            await admin.close()
            await servers.databases.give_back(name)

    def environment(self, service: str) -> dict[str, str]:
        return self.servers.environment(service, self.name)

    def database(self, service: str) -> Database:
        """The database as the role of a service; closed with the test."""
        database = Database(
            self.environment(service)["ROTA_POSTGRES_URL"],
            application=service,
            has_fixed_plans=service != "gateway",
        )
        self._closing.push_async_callback(database.close)
        return database

    async def bus(self, service: str, *, url: str | None = None) -> Bus:
        """A connection as the NATS user of a service; closed with the test."""
        bus = await Bus.connect(
            url or self.servers.nats.url, service=service, seed=self.servers.nats.seed(service)
        )
        self._closing.push_async_callback(bus.close)
        return bus

    async def sql(self, statement: str, **values: Any) -> list[Any]:
        """Rows of a statement run as the owner of the tables; parameters as `:name`."""
        return await self._owner.fetch(statement, values)

    async def value(self, statement: str, **values: Any) -> Any:
        """The first column of the first row."""
        return (await self.sql(statement, **values))[0][0]

    async def reconnect(self) -> None:
        """Forgets the connections to a server that was restarted."""
        await self._owner.close()

    async def a_user(self, email: str | None = None, *, is_admin: bool = False) -> UUID:
        return await self._insert("users", email=email or f"{uuid4().hex[:8]}@example.org", is_admin=is_admin)

    async def a_context(self, name: str | None = None, **columns: Any) -> UUID:
        return await self._insert("contexts", name=name or f"context {uuid4().hex[:8]}", **columns)

    async def a_job(self, context_id: UUID, **columns: Any) -> UUID:
        """A job that is due every minute unless `columns` say otherwise."""
        row = {"name": f"job {uuid4().hex[:8]}", "cron_expression": "* * * * *", "skill_prompt": "Do it."}
        return await self._insert("scheduled_jobs", context_id=context_id, **(row | columns))

    async def an_agent(
        self,
        *,
        name: str = "orchestrator",
        context_id: UUID | None = None,
        tools: list[dict[str, Any]] | None = None,
        **columns: Any,
    ) -> UUID:
        """An agent on a scripted model; `tools` are rows of agent_tools: {"tool_name": …, "mode": …}."""
        row = {"name": name, "context_id": context_id, "model": "scripted:noop", "system_prompt": "Be brief."}
        agent_id = await self._insert("agent_configurations", **(row | columns))
        for position, tool in enumerate(tools or []):
            await self._insert(
                "agent_tools", agent_id=agent_id, position=position, returning="agent_id", **tool
            )
        return agent_id

    async def an_occurrence(self, job_id: UUID, **columns: Any) -> UUID:
        """An open occurrence of the job, dispatched unless `columns` say otherwise."""
        now = datetime.now(UTC)
        context_id = await self.value("SELECT context_id FROM scheduled_jobs WHERE id = :id", id=job_id)
        row: dict[str, Any] = {
            "run_id": uuid4(),
            "job_id": job_id,
            "context_id": context_id,
            "scheduled_for": now,
            "effective_at": now,
            "trigger": "manual",
            "state": "dispatched",
            "dispatched_at": now,
        }
        return await self._insert("occurrences", returning="run_id", **(row | columns))

    async def _insert(self, table: str, *, returning: str = "id", **columns: Any) -> UUID:
        values = {
            name: json.dumps(value) if isinstance(value, dict | list) else value
            for name, value in columns.items()
        }
        names = ", ".join(values)
        places = ", ".join(
            f"CAST(:{name} AS jsonb)" if isinstance(columns[name], dict | list) else f":{name}"
            for name in values
        )
        found: UUID = await self.value(
            f"INSERT INTO {table} ({names}) VALUES ({places}) RETURNING {returning}", **values
        )
        return found


async def delete_streams(admin: Client) -> None:
    jetstream = admin.jetstream()
    for stream in await jetstream.streams_info():
        if stream.config.name:
            await jetstream.delete_stream(stream.config.name)
