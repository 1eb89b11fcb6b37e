"""People are made, let in and shut out by administrators, and each change is written down."""

import asyncio
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from rota_store import StatementError
from tests.integration.gateway.conftest import Person, Served
from tests.support.world import World


@pytest.fixture
async def admin(served: Served) -> Person:
    return await served.person(is_admin=True)


async def with_key(served: Served, key: str) -> httpx2.AsyncClient:
    return await served.client(headers={"Authorization": f"Bearer {key}"})


async def changed(admin: Person, user_id: str, body: dict[str, Any], *, status: int = 200) -> Any:
    answer = await admin.http.patch(f"/api/v1/users/{user_id}", json=body)
    assert answer.status_code == status, answer.text
    return answer.json()


async def test_a_person_is_made_and_let_in_by_a_first_key(served: Served, admin: Person) -> None:
    ann = await admin.post("/users", {"email": " Ann@Example.org ", "display_name": "Ann"})
    assert (ann["email"], ann["is_admin"], ann["is_enabled"]) == ("ann@example.org", False, True)
    first = await admin.post(f"/users/{ann['id']}/api-keys", {"name": "first"})
    client = await with_key(served, first["key"])
    assert (await client.get("/api/v1/me")).json()["email"] == "ann@example.org"
    assert (await client.get("/api/v1/contexts")).json()["items"] == []
    # They make their own, and see those that were made for them.
    own = (await client.post("/api/v1/api-keys", json={"name": "laptop"})).json()
    listed = (await admin.get(f"/users/{ann['id']}/api-keys"))["items"]
    assert [(key["name"], key["prefix"]) for key in listed] == [
        ("laptop", own["prefix"]),
        ("first", first["prefix"]),
    ]
    assert (await client.get("/api/v1/api-keys")).json()["items"] == listed
    path = f"/api/v1/users/{ann['id']}/api-keys/{first['id']}"
    assert (await admin.http.delete(path)).status_code == 204
    assert (await client.get("/api/v1/me")).status_code == 401


async def test_users_are_listed_and_found_by_their_address(admin: Person) -> None:
    made = [await admin.post("/users", {"email": f"{name}@example.org"}) for name in ("ann", "bob")]
    assert [one["id"] for one in (await admin.get("/users"))["items"]][1:] == [one["id"] for one in made]
    assert (await admin.get("/users", email="BOB@example.org"))["items"] == [made[1]]
    assert (await admin.get("/users", email="eve@example.org"))["items"] == []
    assert await admin.get(f"/users/{made[0]['id']}") == made[0]


async def test_who_is_disabled_is_not_let_in_by_key_session_or_link(served: Served, admin: Person) -> None:
    ann = await served.person()
    context = await ann.context()
    link = (await ann.post("/sign-in-links"))["url"].partition("token=")[2]
    browser = await served.client()
    assert (await browser.post("/sign-in", data={"api_key": ann.key})).status_code == 303
    assert (await browser.get("/")).status_code == 200
    assert (await changed(admin, str(ann.id), {"is_enabled": False}))["is_enabled"] is False
    assert (await ann.http.get("/api/v1/me")).status_code == 401
    assert (await browser.get("/")).headers["location"] == "/sign-in"
    for secret in ({"token": link}, {"api_key": ann.key}):
        assert (await (await served.client()).post("/sign-in", data=secret)).status_code == 403
    # Let in again the key holds; what began a session does not.
    await changed(admin, str(ann.id), {"is_enabled": True})
    assert (await ann.get(f"/contexts/{context}"))["role"] == "owner"
    assert (await browser.get("/")).headers["location"] == "/sign-in"
    assert (await (await served.client()).post("/sign-in", data={"token": link})).status_code == 403


async def test_what_began_while_somebody_was_shut_out_is_gone_when_they_are_let_in(
    served: Served, admin: Person
) -> None:
    ann = await served.person()
    link = (await ann.post("/sign-in-links"))["url"].partition("token=")[2]
    # As if the request for it had been under way.
    await served.world.sql("UPDATE users SET is_enabled = false WHERE id = :id", id=ann.id)
    await changed(admin, str(ann.id), {"is_enabled": True})
    assert (await (await served.client()).post("/sign-in", data={"token": link})).status_code == 403
    # Nothing is taken from who was let in all along.
    link = (await ann.post("/sign-in-links"))["url"].partition("token=")[2]
    await changed(admin, str(ann.id), {"is_enabled": True})
    assert (await (await served.client()).post("/sign-in", data={"token": link})).status_code == 303


async def test_a_user_who_is_deleted_takes_along_what_was_noted_of_them(person: Person, world: World) -> None:
    context = await person.context()
    await world.sql("DELETE FROM users WHERE id = :id", id=person.id)
    assert await world.value("SELECT count(*) FROM access_changes") == 0
    assert await world.value("SELECT count(*) FROM contexts WHERE id = CAST(:id AS uuid)", id=context) == 1


async def test_the_last_administrator_stays_one(served: Served, admin: Person) -> None:
    for body in ({"is_admin": False}, {"is_enabled": False}):
        refused = await changed(admin, str(admin.id), body, status=409)
        assert "make somebody else one first" in refused["detail"]
    second = await served.person(is_admin=True)
    # Each takes it from the other at the same time: one of them keeps it.
    answers = await asyncio.gather(
        admin.http.patch(f"/api/v1/users/{second.id}", json={"is_admin": False}),
        second.http.patch(f"/api/v1/users/{admin.id}", json={"is_admin": False}),
    )
    assert sorted(answer.status_code for answer in answers) in ([200, 403], [200, 409])
    assert await served.world.value("SELECT count(*) FROM users WHERE is_admin") == 1


async def test_only_administrators_see_and_change_users(served: Served, admin: Person) -> None:
    ann = await served.person()
    for method, path, body in (
        ("GET", "/users", None),
        ("POST", "/users", {"email": "eve@example.org"}),
        ("GET", f"/users/{admin.id}", None),
        ("GET", f"/users/{uuid4()}", None),
        ("PATCH", f"/users/{ann.id}", {"is_admin": True}),
        ("GET", f"/users/{admin.id}/api-keys", None),
        ("POST", f"/users/{admin.id}/api-keys", {"name": "mine"}),
        ("DELETE", f"/users/{admin.id}/api-keys/{uuid4()}", None),
    ):
        answer = await ann.http.request(method, f"/api/v1{path}", json=body)
        assert answer.status_code == 403, (method, path, answer.text)
    for path in (f"/users/{uuid4()}", f"/users/{uuid4()}/api-keys"):
        assert (await admin.http.get(f"/api/v1{path}")).status_code == 404
    assert (await admin.http.delete(f"/api/v1/users/{ann.id}/api-keys/{uuid4()}")).status_code == 404


async def test_the_database_itself_lets_nobody_else_change_users(person: Person, world: World) -> None:
    gateway = world.database("gateway")
    async with gateway.transaction(person.id) as connection:
        assert await connection.execute("UPDATE users SET is_admin = true") == 0
    with pytest.raises(StatementError, match="row-level security"):
        async with gateway.transaction(person.id) as connection:
            await connection.execute("INSERT INTO users (email) VALUES ('eve@example.org')")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "email"),
        ({"email": "ann"}, "email"),
        ({"email": "ann@example.org", "is_admin": "yes"}, "is_admin"),
        ({"email": "ann@example.org", "display_name": "a\nb"}, "display_name"),
        ({"email": "ann@example.org", "role": "owner"}, "role"),
    ],
)
async def test_what_is_wrong_with_a_user_is_named(admin: Person, body: dict[str, Any], field: str) -> None:
    problem = await admin.post("/users", body, status=422)
    assert [error["field"] for error in problem["errors"]] == [field]


async def test_an_address_is_one_persons(admin: Person) -> None:
    await admin.post("/users", {"email": "ann@example.org"})
    problem = await admin.post("/users", {"email": "Ann@example.org"}, status=409)
    assert problem["errors"][0]["field"] == "email"


async def test_who_let_whom_in_is_written_down_for_them_and_administrators(
    served: Served, admin: Person, person: Person, world: World
) -> None:
    await world.sql("UPDATE users SET display_name = 'Root' WHERE id = :id", id=admin.id)
    ann = await admin.post("/users", {"email": "ann@example.org"})
    key = await admin.post(f"/users/{ann['id']}/api-keys", {"name": "first"})
    await changed(admin, ann["id"], {"is_admin": True})
    await admin.http.delete(f"/api/v1/users/{ann['id']}/api-keys/{key['id']}")
    await changed(admin, ann["id"], {"display_name": "Ann"})
    told = (await admin.get("/access-changes", user_id=ann["id"]))["items"]
    assert [(one["field"], one["old"], one["new"], one["changed_by"]) for one in told] == [
        ("api_key", key["prefix"], None, "Root"),
        ("is_admin", None, "true", "Root"),
        ("api_key", None, key["prefix"], "Root"),
        ("is_enabled", None, "true", "Root"),
    ]
    assert {one["email"] for one in told} == {"ann@example.org"}
    own = (await person.get("/access-changes"))["items"]
    assert own
    assert {one["user_id"] for one in own} == {str(person.id)}
    assert (await person.get("/access-changes", user_id=ann["id"]))["items"] == []
