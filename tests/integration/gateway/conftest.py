"""A served gateway for each test, and people who use it."""

import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import httpx2
import pytest

from rota_bus import Bus
from rota_chassis.health import serving
from rota_contracts.tools import ToolDescription
from rota_executor.adapters import providers
from rota_executor.repository.offers import Offers
from rota_gateway import application, readiness
from rota_gateway.edge.gateway import Gateway
from rota_gateway.service import opened
from rota_gateway.settings import GatewaySettings
from rota_gateway.tokens import digest, new_api_key, shown_prefix
from tests.support.toolkit import built_in
from tests.support.world import World

JOB = {"name": "Morning briefing", "cron_expression": "30 7 * * 1-5", "skill_prompt": "What is new?"}


class Served:
    """The gateway on a real port."""

    def __init__(self, world: World, url: str, gateway: Gateway) -> None:
        self.world = world
        self.url = url
        self.gateway = gateway
        self.stack = contextlib.AsyncExitStack()

    async def client(self, **options: Any) -> httpx2.AsyncClient:
        client = httpx2.AsyncClient(base_url=self.url, timeout=20, trust_env=False, **options)
        return await self.stack.enter_async_context(client)

    async def person(self, *, is_admin: bool = False) -> "Person":
        """Somebody with an API key and no membership."""
        user_id = await self.world.a_user(is_admin=is_admin)
        key = new_api_key()
        await self.world.sql(
            "INSERT INTO api_keys (user_id, name, prefix, key_hash) VALUES (:user, 'test', :prefix, :hash)",
            user=user_id,
            prefix=shown_prefix(key),
            hash=digest(key),
        )
        client = await self.client(headers={"Authorization": f"Bearer {key}"})
        return Person(self, user_id, key, client)


class Person:
    def __init__(self, served: Served, user_id: UUID, key: str, http: httpx2.AsyncClient) -> None:
        self.served = served
        self.id = user_id
        self.key = key
        self.http = http

    async def get(self, path: str, **query: Any) -> Any:
        response = await self.http.get(f"/api/v1{path}", params=query)
        assert response.status_code == 200, response.text
        return response.json()

    async def post(self, path: str, body: Any = None, *, status: int = 201) -> Any:
        response = await self.http.post(f"/api/v1{path}", json=body)
        assert response.status_code == status, response.text
        return response.json() if response.content else None

    async def context(self, name: str | None = None, **fields: Any) -> str:
        made = await self.post("/contexts", {"name": name or f"Team {uuid4().hex[:6]}", **fields})
        return str(made["id"])

    async def job(self, context_id: str, **fields: Any) -> dict[str, Any]:
        job: dict[str, Any] = await self.post(f"/contexts/{context_id}/jobs", {**JOB, **fields})
        return job

    async def joins(self, context_id: str, role: str) -> None:
        await self.served.world.sql(
            "INSERT INTO memberships (context_id, user_id, role) VALUES (:context, :user, :role)",
            context=context_id,
            user=self.id,
            role=role,
        )


async def a_timer(world: World, job_id: UUID, **columns: Any) -> None:
    """What the ticker wrote about a job: planned as it is, accounted for until now unless told otherwise."""
    told = {"planned_generation": 1, "accounted_until": datetime.now(UTC), **columns}
    names, places = ", ".join(told), ", ".join(f":{name}" for name in told)
    await world.sql(
        f"INSERT INTO job_timers (job_id, context_id, {names}) "
        f"SELECT id, context_id, {places} FROM scheduled_jobs WHERE id = :job_id",
        job_id=job_id,
        **told,
    )


async def announce(world: World, *more: ToolDescription) -> None:
    """As an executor does at its start: the built-in tools and these, the providers that are installed."""
    registry = built_in()
    known = [(tool.description, tool.source) for tool in registry.tools()]
    offers = Offers(world.database("executor"))
    await offers.announce([*known, *((tool, "a-package") for tool in more)], providers.installed())


@pytest.fixture
async def served(world: World, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Served]:
    for name, value in world.environment("gateway").items():
        monkeypatch.setenv(name, value)
    settings = GatewaySettings()
    await announce(world)
    async with contextlib.AsyncExitStack() as stack:
        gateway = await opened(settings, stack)
        app = application.build(gateway, readiness.checks(gateway.database, gateway.bus, {}))
        port = await stack.enter_async_context(serving(app, "127.0.0.1", 0))
        stack.callback(gateway.hub.close)
        running = Served(world, f"http://127.0.0.1:{port}", gateway)
        async with running.stack:
            yield running


@pytest.fixture
async def person(served: Served) -> Person:
    return await served.person()


@pytest.fixture
async def other(served: Served) -> Person:
    return await served.person()


@pytest.fixture
async def ticker_bus(world: World) -> Bus:
    return await world.bus("ticker")
