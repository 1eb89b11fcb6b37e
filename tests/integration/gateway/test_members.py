"""Who is what in a context: said by its owners, in force at once, written down."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import pytest

from rota_gateway.api import events, following
from tests.integration.gateway.conftest import Person, Served
from tests.integration.gateway.test_approvals import a_parked_run
from tests.integration.gateway.test_following import an_open_run
from tests.integration.gateway.test_live import hints
from tests.integration.gateway.test_tenants import a_run
from tests.support.world import World


async def put(person: Person, context: str, user: object, role: str, *, status: int = 200) -> Any:
    answer = await person.http.put(f"/api/v1/contexts/{context}/members/{user}", json={"role": role})
    assert answer.status_code == status, answer.text
    return answer.json()


async def removed(person: Person, context: str, user: object, *, status: int = 204) -> Any:
    answer = await person.http.delete(f"/api/v1/contexts/{context}/members/{user}")
    assert answer.status_code == status, answer.text
    return answer.json() if answer.content else None


async def roles(person: Person, context: str) -> list[tuple[str, str]]:
    found = (await person.get(f"/contexts/{context}/members"))["items"]
    return [(member["email"], member["role"]) for member in found]


async def email(person: Person) -> str:
    return str((await person.get("/me"))["email"])


async def test_an_owner_makes_members_by_address_or_id_and_changes_what_they_are(
    person: Person, other: Person
) -> None:
    context = await person.context()
    address = await email(other)
    made = await put(person, context, address.upper(), "viewer")
    assert (made["user_id"], made["email"], made["role"]) == (str(other.id), address, "viewer")
    assert (await other.get(f"/contexts/{context}"))["role"] == "viewer"
    await put(person, context, other.id, "editor")
    expected = [(await email(person), "owner"), (address, "editor")]
    assert await roles(person, context) == await roles(other, context) == expected
    await removed(person, context, address)
    assert await roles(person, context) == expected[:1]
    await removed(person, context, address, status=404)
    problem = await put(person, context, "nobody@example.org", "viewer", status=404)
    assert "administrator" in problem["detail"]
    await put(person, context, uuid4(), "viewer", status=404)
    problem = await put(person, context, other.id, "boss", status=422)
    assert [error["field"] for error in problem["errors"]] == ["role"]


async def test_an_operator_made_by_the_api_approves_a_call_and_an_editor_does_not(
    person: Person, other: Person, world: World
) -> None:
    context = await person.context()
    _, [action] = await a_parked_run(world, context, "a")
    await put(person, context, other.id, "editor")
    await other.post(f"/approvals/{action}/approve", status=403)
    await put(person, context, other.id, "operator")
    approved = await other.post(f"/approvals/{action}/approve", status=200)
    assert (approved["status"], approved["decided_by"]) == ("approved", str(other.id))


async def test_only_owners_and_administrators_change_members(served: Served, person: Person) -> None:
    context = await person.context()
    path = f"/api/v1/contexts/{context}/members"
    ann, stranger, admin = [await served.person(is_admin=one) for one in (False, False, True)]
    for role in ("viewer", "operator", "editor"):
        await put(person, context, ann.id, role)
        await put(ann, context, ann.id, "owner", status=403)
        await put(ann, context, stranger.id, "viewer", status=403)
        await removed(ann, context, person.id, status=403)
    for known in (person.id, "nobody@example.org"):
        await put(stranger, context, known, "viewer", status=404)
        await removed(stranger, context, known, status=404)
    refused = [await stranger.http.get(path), await stranger.http.get(f"/api/v1/contexts/{uuid4()}/members")]
    assert [one.status_code for one in refused] == [404, 404]
    assert refused[0].json()["detail"] == refused[1].json()["detail"]
    await put(admin, context, stranger.id, "viewer")
    await removed(admin, context, stranger.id)
    assert await roles(admin, context) == [(await email(person), "owner"), (await email(ann), "editor")]


async def test_the_last_owner_stays_one(person: Person, other: Person, served: Served) -> None:
    context = await person.context()
    admin = await served.person(is_admin=True)
    for somebody in (person, admin):
        for refused in (
            await put(somebody, context, person.id, "editor", status=409),
            await removed(somebody, context, person.id, status=409),
        ):
            assert "make somebody else an owner first" in refused["detail"]
    await put(person, context, person.id, "owner")
    # One who is not let in does not count.
    await put(person, context, other.id, "owner")
    await admin.http.patch(f"/api/v1/users/{other.id}", json={"is_enabled": False})
    await removed(person, context, person.id, status=409)
    await admin.http.patch(f"/api/v1/users/{other.id}", json={"is_enabled": True})
    await removed(person, context, person.id)
    assert await roles(other, context) == [(await email(other), "owner")]


async def test_of_two_owners_who_remove_one_another_one_stays(
    person: Person, other: Person, world: World
) -> None:
    for _ in range(5):
        context = await person.context()
        await put(person, context, other.id, "owner")
        answers = await asyncio.gather(
            person.http.delete(f"/api/v1/contexts/{context}/members/{other.id}"),
            other.http.delete(f"/api/v1/contexts/{context}/members/{person.id}"),
        )
        assert sorted(answer.status_code for answer in answers) == [204, 404]
        owners = "SELECT count(*) FROM memberships WHERE context_id = :c AND role = 'owner'"
        assert await world.value(owners, c=UUID(context)) == 1


async def test_the_key_of_who_was_removed_sees_their_own_results_and_nothing_else(
    person: Person, other: Person, world: World
) -> None:
    context = await person.context()
    await put(person, context, other.id, "editor")
    job = await other.job(context)
    run, session, notification = await a_run(world, context, job["id"])
    await world.sql("UPDATE agent_execution_results SET user_id = :id", id=other.id)
    _, [action] = await a_parked_run(world, context, "a")
    paths = (
        *(f"/contexts/{context}{part}" for part in ("", "/members", "/jobs", "/budgets", "/export")),
        *(f"/jobs/{job['id']}{part}" for part in ("", "/occurrences", "/usage")),
        f"/conversations/{session}",
        f"/approvals/{action}",
    )
    lists = ("/contexts", "/jobs", "/approvals", "/notifications", "/grants", "/effects")
    for path in paths:
        assert (await other.http.get(f"/api/v1{path}")).status_code == 200, path
    await removed(person, context, other.id)
    for path in paths:
        assert (await other.http.get(f"/api/v1{path}")).status_code == 404, path
    for path in lists:
        assert (await other.get(path))["items"] == [], path
    assert [one["run_id"] for one in (await other.get("/runs"))["items"]] == [str(run)]
    assert (await other.get(f"/runs/{run}"))["run_id"] == str(run)
    assert (await person.get(f"/jobs/{job['id']}"))["owner_id"] is None
    for path in (
        f"/jobs/{job['id']}/run",
        f"/notifications/{notification}/read",
        f"/approvals/{action}/deny",
    ):
        await other.post(path, status=404)
    assert (await other.get("/access-changes", context_id=context))["items"] == []


async def test_what_somebody_listens_to_ends_with_their_membership(
    person: Person, other: Person, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At once, not when their right to it is looked up the next time."""
    monkeypatch.setattr(events, "TRUST_SECONDS", 600.0)
    monkeypatch.setattr(following, "LOOK_SECONDS", 600.0)
    context, _, run = await an_open_run(world, person)
    own = await other.context()
    await put(person, context, other.id, "viewer")
    async with (
        asyncio.timeout(30),
        hints(other) as heard,
        other.http.stream("GET", f"/api/v1/runs/{run}/events") as followed,
    ):
        lines = followed.aiter_lines()
        while not (await anext(lines)).startswith("event: attempt"):
            pass
        await removed(person, context, other.id)
        assert [line async for line in lines if line.startswith("event: ")] == []
        await person.job(context, name="Theirs")
        job = await other.job(own)
        assert await anext(heard) == {"event": "job.changed", "context_id": own, "id": job["id"]}


async def test_who_leaves_is_written_down_too(person: Person, other: Person) -> None:
    context = await person.context()
    await put(person, context, other.id, "owner")
    await removed(other, context, other.id)
    [last, *_] = (await person.get("/access-changes", context_id=context))["items"]
    them = await email(other)
    assert (last["email"], last["old"], last["new"], last["changed_by"]) == (them, "owner", None, them)


async def test_an_address_that_is_none_is_refused(person: Person) -> None:
    context = await person.context()
    for method in ("PUT", "DELETE"):
        path = f"/api/v1/contexts/{context}/members/a%00b"
        answer = await person.http.request(method, path, json={"role": "viewer"} if method == "PUT" else None)
        assert answer.status_code == 404, answer.text


async def test_who_decided_on_a_role_is_written_down_and_read_by_members(
    person: Person, other: Person, world: World
) -> None:
    context, foreign = await person.context(), await other.context()
    await put(person, context, other.id, "viewer")
    await put(person, context, other.id, "viewer")
    await put(person, context, other.id, "operator")
    await removed(person, context, other.id)
    told = (await person.get("/access-changes", context_id=context))["items"]
    me, them = await email(person), await email(other)
    assert [(one["email"], one["old"], one["new"], one["changed_by"]) for one in told] == [
        (them, "operator", None, me),
        (them, "viewer", "operator", me),
        (them, None, "viewer", me),
        (me, None, "owner", me),
    ]
    assert (await person.get("/access-changes", context_id=foreign))["items"] == []
    # It goes with the context.
    assert (await person.http.delete(f"/api/v1/contexts/{context}")).status_code == 204
    assert await world.value("SELECT count(*) FROM access_changes WHERE context_id IS NOT NULL") == 1
