"""A context as a document: what would change, all or nothing, and the same again changes nothing."""

from typing import Any

from tests.integration.gateway.conftest import Person, Served
from tests.support.world import World

GARDENER = {
    "name": "Gardener",
    "model": "local:any",
    "system_prompt": "Be brief.",
    "limits": {"request_limit": 3},
    "tools": [{"tool_name": "garden__water", "policy": "ask"}],
}
MORNING = {
    "name": "Morning",
    "cron_expression": "0 7 * * *",
    "agent_name": "Gardener",
    "skill_prompt": "Look.",
}
EVENING = {**MORNING, "name": "Evening", "cron_expression": "0 19 * * *", "timezone": "Europe/Berlin"}
GARDEN = {"name": "garden", "transport": "http", "url": "https://mcp.example.org/mcp"}
DOCUMENT: dict[str, Any] = {"mcp_servers": [GARDEN], "agents": [GARDENER], "jobs": [MORNING, EVENING]}


async def applied(
    person: Person, context: str, document: dict[str, Any], **more: Any
) -> tuple[list[Any], int]:
    answer = await person.post(f"/contexts/{context}/apply", {**document, **more}, status=200)
    told = [
        (one["action"], one["kind"], one["name"], {c["field"]: c["new"] for c in one["fields"]})
        for one in answer["changes"]
    ]
    return told, answer["unchanged"]


async def counts(world: World) -> tuple[int, ...]:
    tables = ("mcp_servers", "agent_configurations", "scheduled_jobs", "owner_labels")
    where = "WHERE context_id IS NOT NULL"
    return tuple([await world.value(f"SELECT count(*) FROM {table} {where}") for table in tables])


async def test_what_a_document_says_is_made_shown_before_and_made_once(person: Person, world: World) -> None:
    context = await person.context()
    created: list[Any] = [
        ("create", "mcp_server", "garden", {}),
        ("create", "agent", "Gardener", {}),
        ("create", "job", "Morning", {}),
        ("create", "job", "Evening", {}),
    ]
    assert await applied(person, context, DOCUMENT, dry_run=True, owner="team") == (created, 0)
    assert await counts(world) == (0, 0, 0, 0)
    assert await applied(person, context, DOCUMENT, owner="team") == (created, 0)
    assert await counts(world) == (1, 1, 2, 4)
    assert await applied(person, context, DOCUMENT, owner="team") == ([], 4)
    # What is there makes itself again.
    exported = await person.get(f"/contexts/{context}/export")
    assert exported["jobs"][0]["name"] == "Evening"
    assert await applied(person, context, exported) == ([], 4)
    other = await person.context()
    assert len((await applied(person, other, exported))[0]) == 4


async def test_what_a_document_leaves_out_has_its_default_but_a_pause_stays(person: Person) -> None:
    context = await person.context()
    await applied(person, context, {"jobs": [{**EVENING, "agent_name": "orchestrator", "priority": 2}]})
    job = (await person.get(f"/contexts/{context}/jobs"))["items"][0]
    await person.post(f"/jobs/{job['id']}/toggle", {"reason": "frost"}, status=200)
    plain = {**EVENING, "agent_name": "orchestrator", "cron_expression": "0 20 * * *"}
    changed, _ = await applied(person, context, {"jobs": [plain]})
    assert changed == [("update", "job", "Evening", {"cron_expression": "0 20 * * *", "priority": 5})]
    job = await person.get(f"/jobs/{job['id']}")
    assert (job["is_enabled"], job["pause_reason"]) == (False, "frost")
    changed, _ = await applied(person, context, {"jobs": [{**plain, "is_enabled": True}]})
    assert changed == [("update", "job", "Evening", {"is_enabled": True})]
    assert (await person.get(f"/jobs/{job['id']}"))["status"] == "active"


async def test_all_that_is_wrong_is_named_at_its_place_and_nothing_is_made(
    person: Person, world: World
) -> None:
    context = await person.context()
    document = {
        "mcp_servers": [{**GARDEN, "command": "rm"}],
        "agents": [
            {**GARDENER, "tools": [{"tool_name": "nothing"}]},
            {**GARDENER, "name": "Well", "tools": []},
        ],
        "jobs": [MORNING, {**EVENING, "calendars": ["holidays"]}],
    }
    problem = await person.post(f"/contexts/{context}/apply", document, status=422)
    assert [error["field"] for error in problem["errors"]] == [
        "mcp_servers[0].command",
        "agents[0].tools[0].tool_name",
        "jobs[1].calendars",
    ]
    assert await counts(world) == (0, 0, 0, 0)
    twice = {"jobs": [MORNING, MORNING]}
    problem = await person.post(f"/contexts/{context}/apply", twice, status=422)
    assert [error["field"] for error in problem["errors"]] == ["jobs[1].name"]
    problem = await person.post(f"/contexts/{context}/apply", {"jobz": []}, status=422)
    assert [error["field"] for error in problem["errors"]] == ["jobz"]


async def test_only_what_the_owner_has_is_pruned_and_jobs_before_their_agents(
    person: Person, world: World
) -> None:
    context = await person.context()
    await applied(person, context, DOCUMENT, owner="team")
    await applied(person, context, {"jobs": [{**MORNING, "name": "Others"}]}, owner="others")
    by_hand = await person.job(context, name="By hand", agent_name="Gardener")
    refused = await person.http.post(
        f"/api/v1/contexts/{context}/apply", json={"jobs": [MORNING], "owner": "team", "prune": True}
    )
    # The agent is run by jobs that are not the owner's.
    assert refused.status_code == 409
    assert await counts(world) == (1, 1, 4, 5)
    await person.http.delete(f"/api/v1/jobs/{by_hand['id']}")
    await applied(person, context, {}, owner="others", prune=True)
    deleted, _ = await applied(person, context, {}, owner="team", prune=True)
    assert [one[:3] for one in deleted] == [
        ("delete", "job", "Evening"),
        ("delete", "job", "Morning"),
        ("delete", "agent", "Gardener"),
        ("delete", "mcp_server", "garden"),
    ]
    assert await counts(world) == (0, 0, 0, 0)
    await person.post(f"/contexts/{context}/apply", {"prune": True}, status=422)


async def test_who_may_not_see_a_context_neither_applies_nor_exports(person: Person, served: Served) -> None:
    context = await person.context()
    stranger = await served.person()
    assert (await stranger.http.post(f"/api/v1/contexts/{context}/apply", json=DOCUMENT)).status_code == 404
    assert (await stranger.http.get(f"/api/v1/contexts/{context}/export")).status_code == 404
