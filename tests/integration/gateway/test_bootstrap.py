"""What a new system starts with, and what a second start leaves alone."""

import asyncio
import os
import subprocess
import sys
from typing import Any

import pytest

from rota_gateway.bootstrap.seed import bootstrap
from rota_gateway.settings import BootstrapSettings
from rota_gateway.tokens import digest, new_api_key
from tests.integration.gateway.conftest import Person, Served
from tests.support.world import World

KEYS = ("ANTHROPIC_API_KEY", "OPENAI_API_KEY", "OPENAI_BASE_URL", "OLLAMA_BASE_URL", "GATEWAY_MODEL")


@pytest.fixture
def environment(world: World, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in KEYS:
        monkeypatch.delenv(name, raising=False)
    for name, value in world.environment("gateway").items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("GATEWAY_BOOTSTRAP_API_KEY", new_api_key())
    return monkeypatch


async def seed(world: World, *, demo: bool = True) -> None:
    await bootstrap(world.database("gateway"), BootstrapSettings(), with_demo=demo)


async def everything(world: World) -> list[Any]:
    """Every seeded row as text, to compare one start with the next."""
    tables = (
        "users",
        "api_keys",
        "agent_configurations",
        "agent_tools",
        "agent_revisions",
        "contexts",
        "scheduled_jobs",
    )
    return [
        await world.value(
            f"SELECT string_agg(to_jsonb(t)::text, E'\\n' ORDER BY to_jsonb(t)::text) FROM {table} t"
        )
        for table in tables
    ]


async def test_a_new_system_has_an_admin_agents_and_a_demo_job(
    served: Served, environment: pytest.MonkeyPatch, world: World
) -> None:
    await seed(world)
    key = os.environ["GATEWAY_BOOTSTRAP_API_KEY"]
    client = await served.client(headers={"Authorization": f"Bearer {key}"})
    me = (await client.get("/api/v1/me")).json()
    assert (me["email"], me["is_admin"]) == ("admin@localhost", True)
    admin = Person(served, me["id"], key, client)
    assert await world.value("SELECT key_hash FROM api_keys") == digest(key)
    jobs = (await admin.get("/jobs"))["items"]
    assert [(job["name"], job["agent_name"], job["context_name"]) for job in jobs] == [
        ("Watch this machine", "watchman", "Demo")
    ]
    assert (await admin.get("/contexts"))["items"][0]["role"] == "owner"
    watchman = await admin.get("/agents/watchman")
    assert (watchman["model"], watchman["style"], watchman["grounding"]) == (
        "local:smollm2",
        "per_fact",
        "numbers",
    )
    assert {tool["mode"] for tool in watchman["tools"]} == {"prefetch"}
    assert watchman["examples"]
    assert {agent["name"] for agent in (await admin.get("/agents"))["items"]} == {"orchestrator", "watchman"}


async def test_without_the_demo_there_is_no_context(environment: pytest.MonkeyPatch, world: World) -> None:
    await seed(world, demo=False)
    assert await world.value("SELECT count(*) FROM contexts") == 0
    assert await world.value("SELECT string_agg(name, ',') FROM agent_configurations") == "orchestrator"


async def test_a_second_start_changes_nothing(environment: pytest.MonkeyPatch, world: World) -> None:
    await seed(world)
    before = await everything(world)
    await seed(world)
    assert await everything(world) == before


async def test_a_new_bootstrap_key_replaces_the_old_one(
    environment: pytest.MonkeyPatch, world: World
) -> None:
    await seed(world)
    old, new = os.environ["GATEWAY_BOOTSTRAP_API_KEY"], new_api_key()
    environment.setenv("GATEWAY_BOOTSTRAP_API_KEY", new)
    await seed(world)
    valid = await world.sql("SELECT key_hash FROM api_keys WHERE revoked_at IS NULL")
    assert [row.key_hash for row in valid] == [digest(new)]
    assert digest(old) != digest(new)


async def test_a_start_lets_its_administrator_in_again(environment: pytest.MonkeyPatch, world: World) -> None:
    """Whoever starts the system is not locked out of it."""
    await seed(world)
    await world.sql("UPDATE users SET is_admin = false, is_enabled = false")
    await seed(world)
    assert await world.value("SELECT is_admin AND is_enabled FROM users") is True


async def test_a_key_for_a_hosted_model_changes_the_shipped_agents(
    environment: pytest.MonkeyPatch, world: World
) -> None:
    await seed(world)
    environment.setenv("ANTHROPIC_API_KEY", "a-key")
    await seed(world)
    agents = await world.sql("SELECT model, style, revision FROM agent_configurations")
    assert {tuple(row) for row in agents} == {("anthropic:claude-sonnet-5-5", "conversation", 2)}
    assert await world.value("SELECT string_agg(DISTINCT mode, ',') FROM agent_tools") == "model"
    assert (
        await world.value(
            "SELECT count(*) FROM agent_configurations WHERE to_jsonb(shipped_hash)::text ~ 'a-key'"
        )
        == 0
    )


@pytest.mark.parametrize(
    "edit",
    [
        "UPDATE agent_configurations SET system_prompt = 'Mine.' WHERE name = 'watchman'",
        "UPDATE agent_configurations SET model = 'ollama:mine' WHERE name = 'watchman'",
        "DELETE FROM agent_tools WHERE tool_name = 'machine_load'",
    ],
)
async def test_an_agent_that_somebody_edited_is_never_overwritten(
    environment: pytest.MonkeyPatch, world: World, edit: str
) -> None:
    await seed(world)
    await world.sql(edit)
    watchman = "SELECT to_jsonb(a)::text FROM agent_configurations a WHERE name = 'watchman'"
    before = await world.value(watchman)
    links = await world.value(
        "SELECT count(*) FROM agent_tools l JOIN agent_configurations a ON a.id = agent_id "
        "WHERE a.name = 'watchman'"
    )
    environment.setenv("ANTHROPIC_API_KEY", "a-key")
    await seed(world)
    assert await world.value(watchman) == before
    assert (
        await world.value(
            "SELECT count(*) FROM agent_tools l JOIN agent_configurations a ON a.id = agent_id "
            "WHERE a.name = 'watchman'"
        )
        == links
    )


async def test_an_agent_that_was_deleted_does_not_come_back(
    environment: pytest.MonkeyPatch, world: World
) -> None:
    await seed(world)
    await world.sql("DELETE FROM agent_configurations WHERE name = 'watchman'")
    await seed(world)
    assert await world.value("SELECT string_agg(name, ',') FROM agent_configurations") == "orchestrator"


async def test_a_demo_job_that_was_deleted_does_not_come_back(
    environment: pytest.MonkeyPatch, world: World
) -> None:
    await seed(world)
    await world.sql("DELETE FROM scheduled_jobs")
    await seed(world)
    assert await world.value("SELECT count(*) FROM scheduled_jobs") == 0


async def test_the_command_seeds_and_names_what_is_missing(
    environment: pytest.MonkeyPatch, world: World
) -> None:
    command = [sys.executable, "-m", "rota_gateway", "bootstrap", "--demo"]

    def run() -> subprocess.CompletedProcess[str]:
        return subprocess.run(command, capture_output=True, text=True, check=False)

    done = await asyncio.to_thread(run)
    assert done.returncode == 0, done.stdout + done.stderr
    assert await world.value("SELECT count(*) FROM scheduled_jobs") == 1
    environment.delenv("GATEWAY_BOOTSTRAP_API_KEY")
    failed = await asyncio.to_thread(run)
    assert failed.returncode == 2
    assert "GATEWAY_BOOTSTRAP_API_KEY" in failed.stderr
