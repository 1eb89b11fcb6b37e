"""Agents over the API: whose they are, what is refused, what each save leaves behind."""

from typing import Any

import pytest

from rota_contracts.tools import ToolDescription
from tests.integration.gateway.conftest import Person, Served, announce
from tests.support.world import World

MODEL = "anthropic:claude-sonnet-5-5"
AGENT = {"name": "briefer", "model": MODEL, "system_prompt": "Be brief."}


async def agent(person: Person, context: str | None = None, **fields: Any) -> Any:
    return await person.post("/agents", {**AGENT, "context_id": context, **fields})


async def patch(person: Person, path: str, body: Any, *, status: int = 200) -> Any:
    response = await person.http.patch(f"/api/v1{path}", json=body)
    assert response.status_code == status, response.text
    return response.json()


@pytest.fixture
async def admin(served: Served) -> Person:
    return await served.person(is_admin=True)


async def test_an_agent_has_the_documented_defaults(person: Person) -> None:
    context = await person.context()
    made = await agent(person, context)
    assert await person.get("/agents/briefer", context_id=context) == made
    assert {name: made[name] for name in made.keys() - {"id", "created_at", "updated_at"}} == {
        "context_id": context,
        "name": "briefer",
        "description": "",
        "model": MODEL,
        "fallback_models": [],
        "system_prompt": "Be brief.",
        "model_settings": {},
        "examples": [],
        "style": "conversation",
        "grounding": "none",
        "limits": {},
        "max_concurrent_runs": None,
        "approval_expiry_seconds": None,
        "approval_expiry_action": None,
        "tools": [],
        "policies": {},
        "revision": 1,
    }


async def test_everything_that_may_be_said_is_kept(person: Person) -> None:
    said = {
        "name": "all of it",
        "description": "Reads what is new.",
        "model": "openai-chat:mine",
        "fallback_models": ["ollama:qwen3", "local:smollm2"],
        "system_prompt": "Be brief.\nBe kind.",
        "model_settings": {"temperature": 0.5, "max_tokens": 100, "openai_user": "rota"},
        "examples": [{"input": "a", "output": "b"}],
        "style": "conversation",
        "grounding": "numbers",
        "limits": {"request_limit": None, "tool_calls_limit": 7},
        "max_concurrent_runs": 2,
        "approval_expiry_seconds": 3600,
        "approval_expiry_action": "fail",
        "tools": [
            {"tool_name": "machine_disk", "mode": "prefetch", "policy": None, "arguments": {"path": "/"}},
            {"tool_name": "clock", "mode": "model", "policy": "ask", "arguments": {}},
        ],
    }
    made = await person.post("/agents", {**said, "context_id": await person.context()})
    assert {name: made[name] for name in said} == said
    assert made["policies"] == {"machine_disk": "auto", "clock": "ask"}


def a_tool(name: str, **more: Any) -> ToolDescription:
    return ToolDescription(name=name, description="Does it.", parameters={"type": "object"}, **more)


async def test_a_tool_that_writes_asks_unless_more_is_said(person: Person, world: World) -> None:
    send, note = a_tool("send", effect="write"), a_tool("note", effect="write", default_policy="auto")
    await announce(world, send, note)
    links = [{"tool_name": "send"}, {"tool_name": "clock"}, {"tool_name": "note"}]
    made = await agent(person, await person.context(), tools=links)
    assert [link["policy"] for link in made["tools"]] == [None, None, None]
    assert made["policies"] == {"send": "ask", "clock": "auto", "note": "auto"}
    # The annotation that holds is the one of now.
    await announce(world, a_tool("send", effect="read"), note)
    assert (await person.get("/agents/briefer"))["policies"]["send"] == "auto"


async def test_the_tools_are_those_that_executors_have_announced(person: Person, world: World) -> None:
    await announce(world, a_tool("send", effect="write", open_world=True, timeout_seconds=5.0))
    found = {tool["name"]: tool for tool in (await person.get("/tools"))["items"]}
    assert found["send"] == {
        "name": "send",
        "description": "Does it.",
        "effect": "write",
        "idempotent": False,
        "open_world": True,
        "transactional": False,
        "policy": "ask",
        "timeout_seconds": 5.0,
        "parameters": {"type": "object"},
        "source": "a-package",
    }
    assert (found["clock"]["source"], found["clock"]["policy"]) == ("rota", "auto")
    # The last executor that had it is gone.
    await world.sql("UPDATE tools SET announced_at = announced_at - interval '11 minutes'")
    await announce(world)
    assert {tool["name"] for tool in (await person.get("/tools"))["items"]} == found.keys() - {"send"}


async def test_an_agent_keeps_a_tool_that_is_gone_and_says_so_when_it_is_saved(
    person: Person, world: World
) -> None:
    await announce(world, a_tool("look", effect="read"))
    address = f"/agents/briefer?context_id={await person.context()}"
    await agent(person, address.rpartition("=")[2], tools=[{"tool_name": "look"}])
    await world.sql("DELETE FROM tools WHERE name = 'look'")
    assert (await person.get("/agents/briefer"))["policies"] == {"look": "ask"}
    problem = await patch(person, address, {"description": "x"}, status=422)
    assert problem["errors"][0]["field"] == "tools[0].tool_name"


REFUSED: list[tuple[dict[str, Any], str, str]] = [
    ({"name": ""}, "name", "at least 1 character"),
    ({"name": "a/b"}, "name", "'/'"),
    ({"name": "x" * 256}, "name", "255"),
    ({"model": "gpt"}, "model", "provider:model"),
    ({"model": "openai:"}, "model", "provider:model"),
    ({"model": "Open AI:x"}, "model", "provider:model"),
    ({"model": "antropic:claude"}, "model", "no executor has models of 'antropic'; there are those of"),
    ({"fallback_models": ["ollama:a"] * 6}, "fallback_models", "5"),
    ({"fallback_models": ["qwen"]}, "fallback_models[0]", "provider:model"),
    ({"fallback_models": ["google:x"]}, "fallback_models[0]", "no executor has models of 'google'"),
    ({"fallback_models": [MODEL]}, "fallback_models[0]", "asked already"),
    ({"system_prompt": "x" * 50_001}, "system_prompt", "50000"),
    ({"system_prompt": "\x00"}, "system_prompt", "control"),
    ({"model_settings": {"temperature": 3}}, "model_settings.temperature", "2"),
    ({"model_settings": {"temperature": "0"}}, "model_settings.temperature", "number"),
    ({"model_settings": {"temprature": 1}}, "model_settings", "no setting 'temprature'"),
    ({"model_settings": {"extra_headers": {"x-api-key": "k"}}}, "model_settings", "executor"),
    ({"examples": [{"input": "a"}]}, "examples[0].output", "required"),
    ({"limits": {"request_limit": 0}}, "limits.request_limit", "1"),
    ({"limits": {"steps": 3}}, "limits.steps", "no such field"),
    ({"limits": {"cost_limit": 0}}, "limits.cost_limit", "greater than 0"),
    ({"limits": {"cost_limit": "a lot"}}, "limits.cost_limit", "decimal"),
    ({"limits": {"repeated_calls_limit": 1}}, "limits.repeated_calls_limit", "2"),
    (
        {"model": "openai:of-tomorrow", "limits": {"cost_limit": 1}},
        "limits.cost_limit",
        "nobody knows what 'openai:of-tomorrow' costs",
    ),
    ({"max_concurrent_runs": 0}, "max_concurrent_runs", "1"),
    ({"approval_expiry_seconds": 59}, "approval_expiry_seconds", "60"),
    ({"approval_expiry_action": "allow"}, "approval_expiry_action", "'deny' or 'fail'"),
    ({"tools": [{"tool_name": "shell"}]}, "tools[0].tool_name", "no tool 'shell'; there are: clock,"),
    ({"tools": [{"tool_name": "clock"}] * 2}, "tools[1].tool_name", "once"),
    ({"tools": [{"tool_name": "clock", "policy": "perhaps"}]}, "tools[0].policy", "'auto', 'ask' or 'deny'"),
    ({"tools": [{"tool_name": "clock", "arguments": {"a": 1}}]}, "tools[0].arguments", "mode prefetch"),
    (
        {"tools": [{"tool_name": "clock", "mode": "prefetch", "arguments": {"zone": "UTC"}}]},
        "tools[0].arguments",
        "'zone' was unexpected",
    ),
    (
        {"tools": [{"tool_name": "clock", "mode": "prefetch", "policy": "ask"}]},
        "tools[0].policy",
        "cannot ask",
    ),
    ({"style": "per_fact"}, "style", "prefetch"),
    ({"revision": 3}, "revision", "no such field"),
    ({"api_key": "secret"}, "api_key", "no such field"),
]


@pytest.mark.parametrize(("fields", "field", "words"), REFUSED, ids=[f"{f}-{w[:12]}" for _, f, w in REFUSED])
async def test_what_cannot_be_names_the_field_and_the_remedy(
    person: Person, fields: dict[str, Any], field: str, words: str
) -> None:
    context = await person.context()
    problem = await person.post("/agents", {**AGENT, "context_id": context, **fields}, status=422)
    assert [error["field"] for error in problem["errors"]] == [field], problem
    assert words.lower() in problem["errors"][0]["message"].lower(), problem
    assert (await person.get("/agents", context_id=context))["items"] == []


async def test_a_name_is_unique_in_its_context_and_for_all(person: Person, admin: Person) -> None:
    context = await person.context()
    await agent(admin)
    await agent(person, context)
    for who, where in ((person, context), (admin, None)):
        problem = await who.post("/agents", {**AGENT, "context_id": where}, status=409)
        assert problem["errors"][0]["field"] == "name"


async def test_a_contexts_own_agent_goes_before_the_one_for_all(person: Person, admin: Person) -> None:
    context, elsewhere = await person.context(), await person.context()
    shared = await agent(admin, system_prompt="Shared.")
    assert (await person.get("/agents/briefer", context_id=context))["id"] == shared["id"]
    own = await agent(person, context, system_prompt="Own.")
    assert (await person.get("/agents/briefer", context_id=context))["id"] == own["id"]
    assert (await person.get("/agents/briefer", context_id=elsewhere))["id"] == shared["id"]
    assert (await person.get("/agents/briefer"))["id"] == shared["id"]
    assert [one["id"] for one in (await person.get("/agents", context_id=context))["items"]] == [own["id"]]
    assert len((await person.get("/agents"))["items"]) == 2


async def test_an_agent_of_one_context_is_found_without_naming_it(person: Person) -> None:
    own = await agent(person, await person.context())
    assert (await person.get("/agents/briefer"))["id"] == own["id"]
    await agent(person, await person.context())
    response = await person.http.get("/api/v1/agents/briefer")
    assert response.status_code == 409
    assert "2 contexts have an agent 'briefer'" in response.json()["detail"]


async def test_only_administrators_change_what_is_there_for_all(person: Person, admin: Person) -> None:
    problem = await person.post("/agents", AGENT, status=403)
    assert "context_id" in problem["detail"]
    await agent(admin)
    await patch(person, "/agents/briefer", {"description": "Mine."}, status=403)
    assert (await person.http.delete("/api/v1/agents/briefer")).status_code == 403
    changed = await patch(admin, "/agents/briefer", {"description": "Ours."})
    assert (changed["description"], changed["revision"]) == ("Ours.", 2)


async def test_strangers_and_viewers_change_nothing(person: Person, other: Person) -> None:
    context = await person.context()
    await agent(person, context)
    address = f"/agents/briefer?context_id={context}"
    assert (await other.http.get(f"/api/v1{address}")).status_code == 404
    await patch(other, address, {"description": "x"}, status=404)
    await other.post("/agents", {**AGENT, "name": "mine", "context_id": context}, status=404)
    assert (await other.http.get(f"/api/v1/agents/briefer/revisions?context_id={context}")).status_code == 404
    await other.joins(context, "viewer")
    assert (await other.get("/agents/briefer"))["context_id"] == context
    await patch(other, address, {"description": "x"}, status=403)
    await other.post("/agents", {**AGENT, "name": "mine", "context_id": context}, status=403)


async def test_each_save_is_a_revision_and_none_without_a_change(person: Person) -> None:
    context = await person.context()
    address = f"/agents/briefer?context_id={context}"
    made = await agent(person, context, tools=[{"tool_name": "clock"}])
    assert await patch(person, address, {"system_prompt": "Be brief.", "tools": made["tools"]}) == made
    changed = await patch(person, address, {"tools": [], "limits": {"request_limit": 3}})
    assert (changed["revision"], changed["tools"], changed["limits"]) == (2, [], {"request_limit": 3})
    assert changed["updated_at"] > made["updated_at"]
    relinked = await patch(person, address, {"tools": [{"tool_name": "clock"}]})
    assert (relinked["revision"], relinked["tools"]) == (3, made["tools"])
    revisions = await person.get("/agents/briefer/revisions", context_id=context)
    assert [(one["revision"], len(one["tools"]), one["limits"]) for one in revisions["items"]] == [
        (3, 1, {"request_limit": 3}),
        (2, 0, {"request_limit": 3}),
        (1, 1, {}),
    ]
    assert {one["system_prompt"] for one in revisions["items"]} == {"Be brief."}
    assert all("@example.org" in one["created_by"] for one in revisions["items"])
    first = await person.get("/agents/briefer/revisions", context_id=context, limit=1)
    rest = await person.get("/agents/briefer/revisions", context_id=context, cursor=first["next_cursor"])
    assert first["items"] + rest["items"] == revisions["items"]
    assert rest["next_cursor"] is None


async def test_a_change_of_what_somebody_else_has_changed_is_refused(person: Person) -> None:
    address = f"/agents/briefer?context_id={await person.context()}"
    await agent(person, address.rpartition("=")[2])
    await patch(person, address, {"description": "one", "revision": 1})
    problem = await patch(person, address, {"description": "two", "revision": 1}, status=409)
    assert "at revision 2 by now" in problem["detail"]
    assert (await patch(person, address, {"description": "two"}))["revision"] == 3


async def test_an_agent_is_neither_renamed_nor_moved(person: Person) -> None:
    address = f"/agents/briefer?context_id={await person.context()}"
    await agent(person, address.rpartition("=")[2])
    for field, value in (("name", "other"), ("context_id", None), ("system_prompt", None)):
        problem = await patch(person, address, {field: value}, status=422)
        assert [error["field"] for error in problem["errors"]] == [field]


async def test_an_agent_that_jobs_run_is_not_deleted(person: Person, admin: Person) -> None:
    context = await person.context("Home")
    elsewhere = await person.context("Work")
    await agent(admin)
    await agent(person, context)
    address = f"/api/v1/agents/briefer?context_id={context}"
    job = await person.job(context, name="Morning", agent_name="briefer")
    await person.job(context, name="Disk", tool="machine_disk")
    response = await person.http.delete(address)
    assert response.status_code == 409
    assert "run by 'Morning' in 'Home': " in response.json()["detail"]
    for number in range(12):
        await person.job(elsewhere, name=f"Job {number:02}", agent_name="briefer")
    detail = (await admin.http.delete("/api/v1/agents/briefer")).json()["detail"]
    assert "'Job 00' in 'Work', 'Job 01' in 'Work'" in detail
    assert "'Job 09' in 'Work' and 2 more" in detail
    assert "Morning" not in detail
    await person.http.delete(f"/api/v1/jobs/{job['id']}")
    assert (await person.http.delete(address)).status_code == 204
    assert (await person.get("/agents/briefer", context_id=context))["context_id"] is None


async def test_revisions_outlive_the_agent_and_its_successor_counts_on(person: Person) -> None:
    context = await person.context()
    await agent(person, context)
    assert (await person.http.delete(f"/api/v1/agents/briefer?context_id={context}")).status_code == 204
    assert (await person.http.get(f"/api/v1/agents/briefer?context_id={context}")).status_code == 404
    assert len((await person.get("/agents/briefer/revisions", context_id=context))["items"]) == 1
    assert (await agent(person, context, model="ollama:qwen3"))["revision"] == 2
    kept = await person.get("/agents/briefer/revisions", context_id=context)
    assert [one["model"] for one in kept["items"]] == ["ollama:qwen3", MODEL]


async def test_the_agents_of_a_context_go_with_it(person: Person, world: World) -> None:
    context = await person.context()
    await agent(person, context, tools=[{"tool_name": "clock"}])
    assert (await person.http.delete(f"/api/v1/contexts/{context}")).status_code == 204
    for table in ("agent_configurations", "agent_tools", "agent_revisions"):
        assert await world.value(f"SELECT count(*) FROM {table}") == 0
