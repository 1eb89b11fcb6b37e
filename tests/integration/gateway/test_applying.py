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
WHOLE: dict[str, Any] = {
    **DOCUMENT,
    "settings": {"max_concurrent_runs": 5},
    "calendars": [{"name": "holidays", "dates": ["2027-12-25", "2027-01-01"]}],
    "jobs": [MORNING, {**EVENING, "calendars": ["holidays"]}],
    "budgets": [
        {"period": "month", "tokens_limit": 1_000_000, "cost_limit": "20.50"},
        {"period": "day", "job_name": "Morning", "tokens_limit": 5_000, "policy": "pause"},
        {"period": "day", "agent_name": "Gardener", "tokens_limit": 7_000},
    ],
}


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


DISK = {"name": "Disk", "cron_expression": "@daily", "tool": "machine_disk", "arguments": {"path": "/"}}


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
        "jobs": [MORNING, {**EVENING, "calendars": ["holidays"]}, {**DISK, "continuity": "last_outcome"}],
    }
    problem = await person.post(f"/contexts/{context}/apply", document, status=422)
    assert [error["field"] for error in problem["errors"]] == [
        "mcp_servers[0].command",
        "agents[0].tools[0].tool_name",
        "jobs[1].calendars",
        "jobs[2].continuity",
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


async def test_settings_calendars_and_budgets_are_part_of_a_document(person: Person) -> None:
    context = await person.context("Home")
    created = [
        *("holidays", "garden", "Gardener", "Morning", "Evening"),
        *("month", "day of job Morning", "day of agent Gardener"),
    ]
    plan, _ = await applied(person, context, WHOLE, dry_run=True, owner="team")
    assert [one[2] for one in plan] == ["Home", *created]
    assert plan[0] == ("update", "context", "Home", {"max_concurrent_runs": 5})
    assert (await person.get(f"/contexts/{context}"))["max_concurrent_runs"] == 3
    assert await applied(person, context, WHOLE, owner="team") == (plan, 0)
    assert await applied(person, context, WHOLE, owner="team") == ([], 9)
    exported = await person.get(f"/contexts/{context}/export")
    assert exported["settings"] == {"max_concurrent_runs": 5}
    assert exported["calendars"] == [{"name": "holidays", "dates": ["2027-01-01", "2027-12-25"]}]
    assert exported["budgets"] == [
        {"period": "day", "agent_name": "Gardener", "tokens_limit": 7_000},
        {"period": "day", "job_name": "Morning", "tokens_limit": 5_000, "policy": "pause"},
        {"period": "month", "tokens_limit": 1_000_000, "cost_limit": "20.5"},
    ]
    assert await applied(person, context, exported) == ([], 9)
    other = await person.context()
    assert len((await applied(person, other, exported))[0]) == 9
    assert await person.get(f"/contexts/{other}/export") == exported


async def test_what_changes_in_them_is_changed_and_told(person: Person) -> None:
    context = await person.context("Home")
    await applied(person, context, WHOLE)
    changed, _ = await applied(
        person,
        context,
        {
            "settings": {"min_period_seconds": 30},
            "calendars": [{"name": "holidays", "dates": ["2027-12-26"]}],
            "budgets": [
                {"period": "month", "cost_limit": "3", "tokens_limit": 9},
                {
                    "period": "day",
                    "job_name": "Morning",
                    "tokens_limit": 5_000,
                    "policy": "fallback",
                    "fallback_model": "local:any",
                },
            ],
        },
    )
    fallback = {"policy": "fallback", "fallback_model": "local:any"}
    assert changed == [
        ("update", "context", "Home", {"min_period_seconds": 30}),
        ("update", "calendar", "holidays", {"dates": ["2027-12-26"]}),
        ("update", "budget", "month", {"cost_limit": "3", "tokens_limit": 9}),
        ("update", "budget", "day of job Morning", fallback),
    ]
    exported = await person.get(f"/contexts/{context}/export")
    assert exported["settings"] == {"max_concurrent_runs": 5, "min_period_seconds": 30}
    # What a document leaves out of a budget has its default.
    only = {"budgets": [{"period": "day", "job_name": "Morning", "tokens_limit": 5_000}]}
    changed, _ = await applied(person, context, only)
    assert changed[0][3] == {"policy": "stop", "fallback_model": None}


async def test_what_is_wrong_with_a_budget_is_named_at_its_place(person: Person, world: World) -> None:
    context = await person.context()
    document = {
        "calendars": [{"name": "holidays", "dates": ["2027-02-30"]}],
        "budgets": [{"period": "week", "tokens_limit": 1}],
    }
    problem = await person.post(f"/contexts/{context}/apply", document, status=422)
    assert [error["field"] for error in problem["errors"]] == ["calendars[0].dates[0]", "budgets[0].period"]
    budget = {"period": "day", "tokens_limit": 1}
    document = {
        "budgets": [
            {"period": "month"},
            {**budget, "job_name": "Nothing"},
            {**budget, "agent_name": "Nobody"},
            {**budget, "policy": "fallback"},
        ]
    }
    problem = await person.post(f"/contexts/{context}/apply", document, status=422)
    assert [error["field"] for error in problem["errors"]] == [
        *("budgets[0].tokens_limit", "budgets[1].job_name", "budgets[2].agent_name"),
        "budgets[3].fallback_model",
    ]
    problem = await person.post(f"/contexts/{context}/apply", {"budgets": [budget, budget]}, status=422)
    assert [error["field"] for error in problem["errors"]] == ["budgets[1].period"]
    assert await world.value("SELECT count(*) FROM budgets") == 0


async def test_budgets_and_calendars_of_the_owner_are_pruned_in_their_order(
    person: Person, world: World
) -> None:
    context = await person.context()
    await applied(person, context, WHOLE, owner="team")
    await applied(person, context, {"budgets": [{"period": "day", "tokens_limit": 1}]}, owner="others")
    left = {"jobs": [EVENING], "agents": [{**GARDENER, "tools": []}], "budgets": [WHOLE["budgets"][1]]}
    body = {**left, "owner": "team", "prune": True}
    problem = await person.post(f"/contexts/{context}/apply", body, status=422)
    assert [error["field"] for error in problem["errors"]] == ["budgets[0].job_name"]
    deleted, _ = await applied(person, context, {}, owner="team", prune=True)
    assert [one[2] for one in deleted] == [
        *("day of agent Gardener", "day of job Morning", "month"),
        *("Evening", "Morning", "Gardener", "garden", "holidays"),
    ]
    assert await world.value("SELECT count(*) FROM owner_labels") == 1
    assert list(await person.get(f"/contexts/{context}/export")) == ["settings", "budgets"]


async def test_each_change_needs_the_right_that_it_needs_elsewhere(
    person: Person, other: Person, served: Served
) -> None:
    context = await person.context()
    await applied(person, context, WHOLE)
    await other.joins(context, "editor")
    path = f"/contexts/{context}/apply"
    # What is as it is needs none.
    assert await applied(other, context, {**WHOLE, "jobs": [MORNING]}) == ([], 8)
    owners: list[dict[str, Any]] = [
        {"settings": {"max_concurrent_runs": 6}},
        {"budgets": [{"period": "month", "tokens_limit": 2}]},
        {"budgets": [{"period": "day", "tokens_limit": 2}]},
        {"mcp_servers": [{**GARDEN, "url": "https://mcp.example.org/other"}]},
    ]
    for document in owners:
        await other.post(path, document, status=403)
        assert len((await applied(person, context, document))[0]) == 1
    hosts = {"settings": {"allowed_hosts": ["printer.example.org"]}}
    await person.post(path, hosts, status=403)
    admin = await served.person(is_admin=True)
    assert len((await applied(admin, context, hosts))[0]) == 1
    # Whoever reads a context exports it whole.
    viewer = await served.person()
    await viewer.joins(context, "viewer")
    assert await viewer.get(f"/contexts/{context}/export") == await person.get(f"/contexts/{context}/export")


async def test_who_may_not_see_a_context_neither_applies_nor_exports(person: Person, served: Served) -> None:
    context = await person.context()
    stranger = await served.person()
    assert (await stranger.http.post(f"/api/v1/contexts/{context}/apply", json=DOCUMENT)).status_code == 404
    assert (await stranger.http.get(f"/api/v1/contexts/{context}/export")).status_code == 404
