"""`rota users` and `rota keys` against a real HTTP server that speaks as the gateway does."""

from typing import Any

import pytest

from tests.integration.cli.test_client import CONTEXT, Gateway, Rota

ANN = "66666666-6666-4666-8666-666666666666"
USER: dict[str, Any] = {
    "id": ANN,
    "email": "ann@example.org",
    "display_name": "Ann",
    "is_admin": False,
    "is_enabled": True,
    "created_at": "2026-11-21T12:00:00Z",
}
KEY: dict[str, Any] = {
    "id": "77777777-7777-4777-8777-777777777777",
    "name": "first",
    "prefix": "rota_abcdef",
    "created_at": "2026-11-21T12:00:00Z",
    "last_used_at": None,
    "expires_at": None,
    "revoked_at": "2026-11-22T12:00:00Z",
}


@pytest.fixture(autouse=True)
def _known(gateway: Gateway) -> None:
    gateway.items("/users", USER)


def test_users_are_listed_with_what_they_are(gateway: Gateway, rota: Rota) -> None:
    boss = {**USER, "email": "boss@example.org", "is_admin": True}
    gateway.answers.clear()
    gateway.items("/users", USER, boss, {**USER, "email": "gone@example.org", "is_enabled": False})
    lines = rota("users", "list").out.splitlines()[1:]
    assert ["administrator" in line for line in lines] == [False, True, False]
    assert ["disabled" in line for line in lines] == [False, False, True]


def test_a_user_is_made_changed_and_shut_out_by_their_address(gateway: Gateway, rota: Rota) -> None:
    gateway.answer("POST", "/users", USER)
    gateway.answer("PATCH", f"/users/{ANN}", USER)
    assert rota("users", "create", "ann@example.org", "--name", "Ann", "--admin").code == 0
    assert gateway.asked[-1][3] == {"email": "ann@example.org", "display_name": "Ann", "is_admin": True}
    for arguments, sent in (
        (("update", "ann@example.org", "--no-admin"), {"is_admin": False}),
        (("disable", "ann@example.org"), {"is_enabled": False}),
        (("enable", ANN), {"is_enabled": True}),
    ):
        assert rota("users", *arguments).code == 0
        assert gateway.asked[-1][1:] == (f"/users/{ANN}", {}, sent)
    assert gateway.asked[-3][2]["email"] == "ann@example.org"
    assert rota("users", "update", ANN).code != 0
    gateway.answers.clear()
    gateway.items("/users")
    said = rota("users", "show", "eve@example.org")
    assert (said.code, "there is no user 'eve@example.org'" in said.err) == (1, True)


def test_what_was_changed_is_listed_with_who_did_it(gateway: Gateway, rota: Rota) -> None:
    change = {**USER, "field": "api_key", "old": None, "new": "rota_abcdef", "changed_by": "Root"}
    gateway.items("/access-changes", change)
    said = rota("users", "changes", "ann@example.org")
    assert ("rota_abcdef" in said.out, "Root" in said.out) == (True, True)
    assert gateway.asked[-1][2]["user_id"] == ANN


def test_a_key_is_shown_once_listed_by_its_beginning_and_revoked(gateway: Gateway, rota: Rota) -> None:
    path = f"/users/{ANN}/api-keys"
    gateway.answer("POST", path, {**KEY, "key": "rota_abcdef-and-the-rest"})
    gateway.items(path, KEY)
    gateway.answer("DELETE", f"{path}/{KEY['id']}", None)
    said = rota("keys", "create", "first", "--user", "ann@example.org", "--expires-at", "2027-12-31T00:00Z")
    assert "rota_abcdef-and-the-rest" in said.out
    assert gateway.asked[-1][3] == {"name": "first", "expires_at": "2027-12-31T00:00Z"}
    listed = rota("keys", "list", "-u", ANN).out
    assert ("rota_abcdef…" in listed, "revoked" in listed) == (True, True)
    assert rota("keys", "revoke", KEY["id"], "-u", ANN).out == f"revoked key {KEY['id']}\n"
    gateway.items("/api-keys", KEY)
    assert "first" in rota("keys", "list").out
    said = rota("keys", "revoke", "first")
    assert (said.code, "rota keys list" in said.err) == (1, True)


def test_members_are_listed_set_and_removed_by_their_address(gateway: Gateway, rota: Rota) -> None:
    gateway.items("/contexts", {"id": CONTEXT, "name": "home"})
    path = f"/contexts/{CONTEXT}/members"
    member = {**USER, "context_id": CONTEXT, "user_id": ANN, "role": "operator"}
    gateway.items(path, member)
    gateway.answer("PUT", f"{path}/ann@example.org", member)
    gateway.answer("DELETE", f"{path}/ann@example.org", None)
    assert "operator" in rota("members", "list", "home").out
    assert rota("members", "set", "home", "ann@example.org", "--role", "operator").code == 0
    assert gateway.asked[-1][3] == {"role": "operator"}
    assert rota("members", "remove", "home", "ann@example.org").out == "removed ann@example.org from home\n"
    gateway.items(
        "/access-changes", {**USER, "field": "role", "old": None, "new": "viewer", "changed_by": "Root"}
    )
    assert "viewer" in rota("members", "changes", "home").out
    assert gateway.asked[-1][2]["context_id"] == CONTEXT
