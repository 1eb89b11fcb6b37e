"""Credentials over the API: they go in, and never come out."""

from typing import Any

import pytest

from rota_contracts.credentials import place_of
from rota_gateway.settings import GatewaySettings
from rota_vault import Vault, new_key
from tests.integration.gateway.conftest import Person, Served
from tests.support.servers import CREDENTIAL_KEY
from tests.support.world import World

SECRET = "a-very-secret-value"
GOOGLE = {"kind": "google", "client_id": "c.apps", "client_secret": SECRET, "refresh_token": f"1//{SECRET}"}
HTTP = {"kind": "http", "hosts": ["API.example.org", "10.0.0.5:8080"], "value": f"Bearer {SECRET}"}


async def put(person: Person, context: str, name: str, body: Any, *, status: int = 200) -> Any:
    response = await person.http.put(f"/api/v1/contexts/{context}/credentials/{name}", json=body)
    assert response.status_code == status, response.text
    # Whatever the answer is.
    assert SECRET not in response.text
    return response.json()


async def test_a_credential_is_set_replaced_listed_and_deleted_but_never_shown(
    person: Person, world: World
) -> None:
    context = await person.context()
    made = await put(person, context, "gmail", GOOGLE)
    assert (made["kind"], made["settings"]) == ("google", {"client_id": "c.apps"})
    assert "@example.org" in made["created_by"]
    again = await put(person, context, "gmail", HTTP)
    assert again["id"] == made["id"]
    assert again["settings"] == {"hosts": ["api.example.org", "10.0.0.5:8080"], "header": "Authorization"}
    response = await person.http.get(f"/api/v1/contexts/{context}/credentials")
    assert [one["name"] for one in response.json()["items"]] == ["gmail"]
    assert SECRET not in response.text
    row = (await world.sql("SELECT sealed, c::text AS everything FROM credentials c"))[0]
    assert SECRET not in row.everything
    opened = Vault([CREDENTIAL_KEY]).open(place_of(made["context_id"], "gmail"), row.sealed)
    assert opened == {"value": f"Bearer {SECRET}"}
    address = f"/api/v1/contexts/{context}/credentials/gmail"
    assert (await person.http.delete(address)).status_code == 204
    assert (await person.http.delete(address)).status_code == 404


REFUSED: list[tuple[dict[str, Any], str, str]] = [
    ({"kind": "password", "value": SECRET}, "kind", "'secret', 'http' or 'google'"),
    ({"kind": "secret"}, "value", "is missing"),
    ({"kind": "secret", "value": "short"}, "value", "8 characters"),
    ({"kind": "secret", "value": f"{SECRET}\n"}, "value", "one line"),
    ({"kind": "secret", "value": SECRET, "hosts": ["x.org"]}, "hosts", "leave it out"),
    ({"kind": "http", "value": SECRET}, "hosts", "is missing"),
    ({**HTTP, "hosts": ["https://x.org"]}, "hosts[0]", "host or host:port"),
    ({**HTTP, "header": "a: b"}, "header", "pattern"),
    ({**HTTP, "header": "Host"}, "header", "the connection itself"),
    ({"kind": "google", "client_id": "c", "client_secret": SECRET}, "refresh_token", "is missing"),
    ({"kind": "secret", "value": SECRET, "password": SECRET}, "password", "no such field"),
]


@pytest.mark.parametrize(("body", "field", "words"), REFUSED, ids=[f"{f}-{w[:9]}" for _, f, w in REFUSED])
async def test_what_cannot_be_names_the_field_and_never_the_value(
    person: Person, body: dict[str, Any], field: str, words: str
) -> None:
    context = await person.context()
    problem = await put(person, context, "x", body, status=422)
    assert [error["field"] for error in problem["errors"]] == [field]
    assert words in problem["errors"][0]["message"]
    for name in ("a b", "%2E", "x" * 65):
        response = await person.http.put(f"/api/v1/contexts/{context}/credentials/{name}", json=HTTP)
        assert response.status_code == 404, name


async def test_only_owners_set_and_delete_and_strangers_see_nothing(person: Person, other: Person) -> None:
    context = await person.context()
    await put(person, context, "gmail", GOOGLE)
    address = f"/api/v1/contexts/{context}/credentials"
    assert (await other.http.get(address)).status_code == 404
    await put(other, context, "gmail", HTTP, status=404)
    await other.joins(context, "editor")
    assert len((await other.get(f"/contexts/{context}/credentials"))["items"]) == 1
    await put(other, context, "gmail", HTTP, status=403)
    assert (await other.http.delete(f"{address}/gmail")).status_code == 403


async def test_keys_are_rotated_by_an_administrator(
    served: Served, person: Person, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    contexts = [await person.context(), await person.context()]
    for context in contexts:
        await put(person, context, "api", HTTP)
    admin = await served.person(is_admin=True)
    assert (await person.http.post("/api/v1/credentials/rotate")).status_code == 403
    lost = Vault([new_key()]).seal("nowhere", {"value": SECRET})
    await world.sql(
        "INSERT INTO credentials (context_id, name, kind, sealed) VALUES (:c, 'lost', 'secret', :s)",
        c=contexts[0],
        s=lost,
    )
    fresh = new_key()
    object.__setattr__(served.gateway, "vault", Vault([fresh, CREDENTIAL_KEY]))
    assert await admin.post("/credentials/rotate", status=200) == {"resealed": 2, "unreadable": 1}
    for row in await world.sql("SELECT context_id, sealed FROM credentials WHERE name = 'api'"):
        assert Vault([fresh]).open(place_of(row.context_id, "api"), row.sealed)
    assert await world.value("SELECT sealed FROM credentials WHERE name = 'lost'") == lost


async def test_without_a_key_credentials_are_refused_with_the_remedy(served: Served, person: Person) -> None:
    context = await person.context()
    object.__setattr__(served.gateway, "vault", None)
    problem = await put(person, context, "api", HTTP, status=409)
    assert "ROTA_CREDENTIAL_KEYS" in problem["detail"]


def test_a_key_that_is_none_is_refused_at_start_without_being_shown(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {**world.environment("gateway"), "ROTA_CREDENTIAL_KEYS": "nonsense-key"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ValueError, match="key 1 of 1 is not 32 bytes") as caught:
        GatewaySettings()
    assert "nonsense-key" not in str(caught.value)
    monkeypatch.setenv("ROTA_CREDENTIAL_KEYS", CREDENTIAL_KEY)
    assert CREDENTIAL_KEY not in repr(GatewaySettings())
