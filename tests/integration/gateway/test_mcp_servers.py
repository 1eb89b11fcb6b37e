"""MCP servers over the API: who may set them, what is refused, and how their tools are linked."""

from typing import Any
from uuid import UUID

import pytest

from tests.integration.gateway.conftest import JOB, Person, Served
from tests.support.world import World

HTTP = {"transport": "http", "url": "https://mcp.example.org/mcp"}


async def put(person: Person, context: str, name: str, body: Any, *, status: int = 200) -> Any:
    response = await person.http.put(f"/api/v1/contexts/{context}/mcp-servers/{name}", json=body)
    assert response.status_code == status, response.text
    return response.json()


async def found(world: World, context: str, *tools: tuple[str, str]) -> None:
    """What an executor writes down."""
    await world.sql(
        """
        INSERT INTO mcp_discoveries (server_id, context_id, generation, discovered_at)
        SELECT id, context_id, generation, now() FROM mcp_servers WHERE context_id = :c
        """,
        c=UUID(context),
    )
    for name, effect in tools:
        await world.sql(
            """
            INSERT INTO mcp_tools
                (server_id, context_id, name, tool, description, effect, parameters, idempotent, open_world)
            SELECT id, context_id, name || '__' || CAST(:tool AS text), :tool, 'A tool.', :effect,
                   '{"type": "object", "properties": {"bed": {"type": "integer"}}}', false, true
            FROM mcp_servers WHERE context_id = :c
            """,
            c=UUID(context),
            tool=name,
            effect=effect,
        )


async def test_a_server_is_set_looked_into_again_and_deleted(person: Person, world: World) -> None:
    context = await person.context()
    made = await put(person, context, "garden", HTTP)
    assert (made["status"], made["tools"], made["url"]) == ("pending", [], HTTP["url"])
    await found(world, context, ("read_bed", "read"), ("water", "write"))
    path = f"/contexts/{context}/mcp-servers/garden"
    shown = await person.get(path)
    assert shown["status"] == "ready"
    assert [(one["name"], one["policy"]) for one in shown["tools"]] == [
        ("garden__read_bed", "auto"),
        ("garden__water", "ask"),
    ]
    assert (await person.post(f"{path}/refresh", status=202))["status"] == "pending"
    again = await put(person, context, "garden", {"transport": "stdio", "command": "garden"})
    assert (again["id"], again["url"], again["command"]) == (made["id"], None, "garden")
    assert [one["name"] for one in (await person.get(f"/contexts/{context}/mcp-servers"))["items"]] == [
        "garden"
    ]
    assert (await person.http.delete(f"/api/v1{path}")).status_code == 204
    assert (await person.http.delete(f"/api/v1{path}")).status_code == 404
    assert await world.value("SELECT count(*) FROM mcp_tools") == 0


@pytest.mark.parametrize(
    ("body", "field", "words"),
    [
        ({"transport": "sse", "url": "https://x.org"}, "transport", "'http' or 'stdio'"),
        ({"transport": "http"}, "url", "is missing"),
        ({"transport": "stdio"}, "command", "is missing"),
        ({**HTTP, "command": "rm"}, "command", "leave it out"),
        ({"transport": "stdio", "command": "x", "credential": "c"}, "credential", "leave it out"),
        ({"transport": "http", "url": "ftp://x.org"}, "url", "must begin with https://"),
        ({"transport": "http", "url": "https://me:secret@x.org/"}, "url", "without a name or password"),
        ({"transport": "http", "url": "https://"}, "url", "must name a host"),
        ({"transport": "http", "url": "https://[::1"}, "url", "must name a host"),
        ({**HTTP, "effects": {"water": "delete"}}, "effects.water", "'read' or 'write'"),
        ({**HTTP, "allowed_tools": ["a\0"]}, "allowed_tools[0]", "control character"),
    ],
)
async def test_a_server_that_cannot_be_names_the_field(
    person: Person, body: dict[str, Any], field: str, words: str
) -> None:
    problem = await put(person, await person.context(), "garden", body, status=422)
    assert [error["field"] for error in problem["errors"]] == [field]
    assert words in problem["errors"][0]["message"]


async def test_a_name_that_nothing_can_keep_is_refused(person: Person) -> None:
    body = {**HTTP, "effects": {"water\0": "read"}}
    problem = await put(person, await person.context(), "garden", body, status=422)
    assert "control character" in problem["errors"][0]["message"]


async def test_its_tools_are_linked_and_called_in_its_context_alone(person: Person, world: World) -> None:
    context, other = await person.context(), await person.context()
    await put(person, context, "garden", HTTP)
    await found(world, context, ("read_bed", "read"), ("water", "write"))
    agent = {"name": "Gardener", "model": "local:any", "context_id": context}
    links = [{"tool_name": "garden__read_bed"}, {"tool_name": "garden__water"}]
    made = await person.post("/agents", {**agent, "tools": links})
    assert made["policies"] == {"garden__read_bed": "auto", "garden__water": "ask"}
    listed = await person.get("/agents", context_id=context)
    assert made["policies"] in [one["policies"] for one in listed["items"]]
    problem = await person.post("/agents", {**agent, "context_id": other, "tools": links}, status=422)
    assert "there is no tool 'garden__read_bed'" in problem["errors"][0]["message"]
    assert "garden__water" in {
        one["name"] for one in (await person.get("/tools", context_id=context))["items"]
    }
    assert "garden__water" not in {one["name"] for one in (await person.get("/tools"))["items"]}
    job = {**JOB, "tool": "garden__read_bed", "arguments": {"bed": 1}}
    job = {field: value for field, value in job.items() if field not in {"agent_name", "skill_prompt"}}
    await person.post(f"/contexts/{context}/jobs", {**job, "name": "Bed"})
    problem = await person.post(
        f"/contexts/{context}/jobs", {**job, "name": "Two", "arguments": {"bed": "one"}}, status=422
    )
    assert problem["errors"][0]["field"] == "arguments.bed"
    await person.post(f"/contexts/{other}/jobs", {**job, "name": "Bed"}, status=422)


async def test_only_owners_set_servers_and_nobody_sees_those_of_others(
    person: Person, served: Served
) -> None:
    context = await person.context()
    await put(person, context, "garden", HTTP)
    stranger = await served.person()
    for method, path in (
        ("GET", "/garden"),
        ("GET", ""),
        ("PUT", "/garden"),
        ("DELETE", "/garden"),
        ("POST", "/garden/refresh"),
    ):
        body = HTTP if method == "PUT" else None
        answer = await stranger.http.request(
            method, f"/api/v1/contexts/{context}/mcp-servers{path}", json=body
        )
        assert answer.status_code == 404, (method, path)
