"""Standing grants: given with an approval or alone, listed with what became of them, revoked."""

from collections.abc import Callable, Coroutine
from typing import Any
from uuid import UUID

import msgspec
import pytest

from rota_contracts.tools import ToolDescription
from tests.integration.gateway.conftest import Person, Served, announce
from tests.integration.gateway.test_approvals import a_parked_run
from tests.support.world import World

SEND = ToolDescription(name="send", description="Sends.", effect="write", parameters={"type": "object"})


async def a_job(person: Person, world: World) -> dict[str, Any]:
    """A job of an agent that has the tool `send`."""
    await announce(world, SEND)
    context = await person.context()
    await person.post(
        "/agents",
        {
            "name": "clerk",
            "context_id": context,
            "model": "local:m",
            "system_prompt": "Be brief.",
            "tools": [{"tool_name": "send"}],
        },
    )
    return await person.job(context, agent_name="clerk")


async def a_call(world: World, job: dict[str, Any], **result: Any) -> UUID:
    """A call of `send` that a run of the job waits with; the action."""
    run_id, [action] = await a_parked_run(world, job["context_id"], "a")
    columns = {
        "schedule_id": UUID(job["id"]),
        "prompt": job["skill_prompt"],
        "agent_revision": 1,
        **result,
    }
    names = ", ".join(f"{name} = :{name}" for name in columns)
    await world.sql(f"UPDATE agent_execution_results SET {names} WHERE run_id = :run", run=run_id, **columns)
    await world.sql(
        """UPDATE pending_actions SET tool_name = 'send', arguments = '{"to": "ann", "body": "x"}'"""
    )
    return action


async def granted(person: Person, world: World, **terms: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """A job, and a grant for calls of `send` to Ann."""
    job = await a_job(person, world)
    arguments = {"to": {"match": "exact", "value": "ann"}}
    grant = await person.post(
        "/grants", {"job_id": job["id"], "tool_name": "send", "arguments": arguments, **terms}
    )
    return job, grant


async def test_always_allow_this_gives_a_grant_for_just_this(person: Person, world: World) -> None:
    action = await a_call(world, await a_job(person, world))
    approved = await person.post(
        f"/approvals/{action}/approve", {"note": "fine", "grant": {"max_uses": 3}}, status=200
    )
    grant = await person.get(f"/grants/{approved['grant_id']}")
    assert grant["arguments"] == {
        "to": {"match": "exact", "value": "ann"},
        "body": {"match": "exact", "value": "x"},
    }
    assert (grant["other_arguments"], grant["state"], grant["uses"], grant["max_uses"]) == (
        "none",
        "active",
        0,
        3,
    )
    assert (grant["note"], grant["action_id"], grant["created_by"]) == ("fine", str(action), str(person.id))
    assert grant["expires_at"][:10] > grant["created_at"][:10]
    assert [one["id"] for one in (await person.get("/grants", job_id=grant["job_id"]))["items"]] == [
        grant["id"]
    ]


async def test_a_grant_must_cover_the_call_that_it_comes_with(person: Person, world: World) -> None:
    action = await a_call(world, await a_job(person, world))
    for grant, field in (
        ({"arguments": {"to": {"match": "exact", "value": "eve"}}}, "grant.arguments"),
        ({"arguments": {"to": {"match": "exact", "value": "ann"}}}, "grant.arguments"),
        ({"other_arguments": "any"}, "grant.other_arguments"),
        ({"arguments": {"to": {"match": "like", "value": "a*"}}}, "grant.arguments.to"),
        ({"expires_in_days": 400}, "grant.expires_in_days"),
    ):
        problem = await person.post(f"/approvals/{action}/approve", {"grant": grant}, status=422)
        assert problem["errors"][0]["field"].startswith(field)
    assert (await person.get(f"/approvals/{action}"))["status"] == "pending"
    to_ann = {"arguments": {"to": {"match": "exact", "value": "ann"}}, "other_arguments": "any"}
    await person.post(f"/approvals/{action}/approve", {"grant": to_ann}, status=200)


@pytest.mark.parametrize(
    ("result", "why"),
    [
        ({"agent_revision": 0}, "agent was changed"),
        ({"prompt": "Something else."}, "prompt of the job was changed"),
        ({"agent_name": "other"}, "runs the agent 'clerk' now"),
        ({"schedule_id": None}, "job was deleted"),
    ],
)
async def test_what_is_not_what_made_the_call_any_more_is_not_granted(
    person: Person, world: World, result: dict[str, Any], why: str
) -> None:
    """Else a person would allow for good what they have never seen asked for."""
    action = await a_call(world, await a_job(person, world), **result)
    refused = await person.post(f"/approvals/{action}/approve", {"grant": {}}, status=409)
    assert why in refused["detail"]
    await person.post(f"/approvals/{action}/approve", {}, status=200)


Change = Callable[[Person, World, dict[str, Any]], Coroutine[Any, Any, object]]


async def _prompt(person: Person, _world: World, job: dict[str, Any]) -> None:
    await person.http.patch(f"/api/v1/jobs/{job['id']}", json={"skill_prompt": "Something else."})


async def _agent(person: Person, _world: World, job: dict[str, Any]) -> None:
    await person.http.patch(
        f"/api/v1/agents/clerk?context_id={job['context_id']}", json={"system_prompt": "Be long."}
    )


async def _policy(person: Person, _world: World, job: dict[str, Any]) -> None:
    links = [{"tool_name": "send", "policy": "ask"}, {"tool_name": "clock"}]
    await person.http.patch(f"/api/v1/agents/clerk?context_id={job['context_id']}", json={"tools": links})


async def _other_agent(person: Person, world: World, job: dict[str, Any]) -> None:
    await world.an_agent(name="other", context_id=UUID(job["context_id"]))
    await person.http.patch(f"/api/v1/jobs/{job['id']}", json={"agent_name": "other"})


async def _agent_gone(_person: Person, world: World, _job: dict[str, Any]) -> None:
    await world.sql("DELETE FROM agent_configurations WHERE name = 'clerk'")


async def _tool(_person: Person, world: World, _job: dict[str, Any]) -> None:
    await announce(world, msgspec.structs.replace(SEND, description="Sends to anybody."))


async def _tool_gone(_person: Person, world: World, _job: dict[str, Any]) -> None:
    await world.sql("DELETE FROM tools WHERE name = 'send'")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (_prompt, "prompt of the job was changed"),
        (_agent, "at revision 2, the grant is for revision 1"),
        (_policy, "at revision 2, the grant is for revision 1"),
        (_other_agent, "runs the agent 'other' now"),
        (_agent_gone, "was deleted, or another one took its name"),
        (_tool, "description, its effect or its parameters"),
        (_tool_gone, "No executor has the tool 'send'"),
    ],
)
async def test_each_change_of_what_it_is_bound_to_voids_it_and_says_so(
    person: Person, world: World, change: Change, why: str
) -> None:
    job, grant = await granted(person, world)
    assert grant["state"] == "active"
    await change(person, world, job)
    [listed] = (await person.get("/grants", context_id=job["context_id"]))["items"]
    assert listed["state"] == "void"
    assert why in listed["reason"]


async def test_what_was_used_or_ran_out_or_was_revoked_is_listed_so(person: Person, world: World) -> None:
    _, grant = await granted(person, world, max_uses=1)
    path = f"/grants/{grant['id']}"
    await world.sql(
        "INSERT INTO grant_uses (grant_id, number, context_id, run_id, attempt, call_id)"
        " SELECT id, 1, context_id, id, 1, 'call' FROM approval_grants"
    )
    used = await person.get(path)
    assert (used["state"], used["uses"], used["reason"]) == ("used_up", 1, "It was for 1 calls.")
    assert used["last_used_at"]
    [use] = (await person.get(f"{path}/uses"))["items"]
    assert (use["number"], use["run_id"], use["call_id"]) == (1, grant["id"], "call")
    await world.sql("UPDATE approval_grants SET max_uses = NULL, expires_at = now()")
    assert (await person.get(path))["state"] == "expired"
    for _ in range(2):
        assert (await person.http.delete(f"/api/v1{path}")).status_code == 204
    revoked = await person.get(path)
    assert (revoked["state"], revoked["revoked_by"]) == ("revoked", str(person.id))


async def test_a_job_without_an_agent_is_granted_nothing(person: Person, world: World) -> None:
    await announce(world, SEND)
    job = await person.job(await person.context(), tool="clock", skill_prompt="")
    asked = {"job_id": job["id"], "tool_name": "send", "arguments": {}}
    refused = await person.post("/grants", asked, status=409)
    assert "runs no agent" in refused["detail"]
    unknown = {**asked, "job_id": (await a_job(person, world))["id"], "tool_name": "fax"}
    assert (await person.post("/grants", unknown, status=422))["errors"][0]["field"] == "tool_name"


@pytest.mark.parametrize(("role", "status"), [("viewer", 403), ("editor", 403), (None, 404)])
async def test_who_may_not_decide_gives_and_revokes_nothing(
    person: Person, served: Served, world: World, role: str | None, status: int
) -> None:
    job, grant = await granted(person, world)
    stranger = await served.person()
    if role:
        await stranger.joins(job["context_id"], role)
        assert (await stranger.get(f"/grants/{grant['id']}"))["state"] == "active"
    else:
        assert (await stranger.get("/grants"))["items"] == []
    await stranger.post("/grants", {"job_id": job["id"], "tool_name": "send", "arguments": {}}, status=status)
    response = await stranger.http.delete(f"/api/v1/grants/{grant['id']}")
    assert response.status_code == status
    assert (await person.get(f"/grants/{grant['id']}"))["state"] == "active"


async def test_an_operator_decides_and_changes_nothing_else(
    person: Person, served: Served, world: World
) -> None:
    job, grant = await granted(person, world)
    operator = await served.person()
    await operator.joins(job["context_id"], "operator")
    given = {"job_id": job["id"], "tool_name": "send", "arguments": {}}
    own = await operator.post("/grants", given)
    assert (own["created_by"], own["state"]) == (str(operator.id), "active")
    action = await a_call(world, job)
    await operator.post(f"/approvals/{action}/approve", {"grant": {}}, status=200)
    assert (await operator.http.delete(f"/api/v1/grants/{grant['id']}")).status_code == 204
    path = f"/api/v1/jobs/{job['id']}"
    assert (await operator.http.patch(path, json={"skill_prompt": "x"})).status_code == 403
    assert (await operator.http.post(f"{path}/run", json={})).status_code == 403
    assert (await operator.get(f"/contexts/{job['context_id']}"))["role"] == "operator"
