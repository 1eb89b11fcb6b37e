"""Keys, sessions, links, and what another site may not do."""

from typing import Any

import httpx2
import pytest

from tests.integration.gateway.conftest import JOB, Person, Served
from tests.support.world import World


async def signed_in(served: Served, person: Person) -> httpx2.AsyncClient:
    """A browser with the person's session."""
    browser = await served.client()
    response = await browser.post("/sign-in", data={"api_key": person.key})
    assert (response.status_code, response.headers["location"]) == (303, "/")
    return browser


async def test_me_says_who_i_am(person: Person) -> None:
    assert (await person.get("/me"))["id"] == str(person.id)


async def test_an_api_key_is_shown_once_and_kept_as_a_hash_only(person: Person, world: World) -> None:
    made = await person.post("/api-keys", {"name": "ci"})
    assert made["key"].startswith("rota_")
    assert made["key"].startswith(made["prefix"])
    listed = (await person.get("/api-keys"))["items"]
    assert made["id"] in {key["id"] for key in listed}
    assert all("key" not in key for key in listed)
    stored = await world.value("SELECT string_agg(to_jsonb(k)::text, '') FROM api_keys k")
    assert made["key"] not in stored


async def test_a_revoked_or_expired_key_lets_nobody_in(served: Served, person: Person, world: World) -> None:
    made = await person.post("/api-keys", {"name": "ci", "expires_at": "2099-01-01T00:00:00Z"})
    client = await served.client(headers={"Authorization": f"Bearer {made['key']}"})
    assert (await client.get("/api/v1/me")).status_code == 200
    await world.sql("UPDATE api_keys SET expires_at = now() WHERE name = 'ci'")
    assert (await client.get("/api/v1/me")).status_code == 401
    await world.sql("UPDATE api_keys SET expires_at = NULL WHERE name = 'ci'")
    assert (await client.get("/api/v1/me")).status_code == 200
    assert (await person.http.delete(f"/api/v1/api-keys/{made['id']}")).status_code == 204
    assert (await client.get("/api/v1/me")).status_code == 401


async def test_nobody_revokes_the_key_of_another(person: Person, other: Person) -> None:
    made = await person.post("/api-keys", {"name": "ci"})
    assert (await other.http.delete(f"/api/v1/api-keys/{made['id']}")).status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"name": ""},
        {"name": "bootstrap"},
        {"name": "x", "expires_at": "tomorrow"},
        {"name": "x", "expires_at": "2020-01-01T00:00:00Z"},
        {"name": "x", "expires_at": "0001-01-01T00:00:00+14:00"},
        {"name": "x", "expires_at": "9999-12-31T23:59:59-14:00"},
        {"name": "x", "key": "y"},
    ],
)
async def test_a_bad_api_key_request_is_invalid(person: Person, body: dict[str, Any]) -> None:
    assert (await person.http.post("/api/v1/api-keys", json=body)).status_code == 422


async def test_the_use_of_a_key_is_noted(person: Person, world: World) -> None:
    await person.get("/me")
    first = await world.value("SELECT last_used_at FROM api_keys")
    assert first is not None
    await person.get("/me")
    assert await world.value("SELECT last_used_at FROM api_keys") == first


async def test_a_link_signs_in_once_and_only_when_its_button_is_pressed(
    served: Served, person: Person
) -> None:
    url = (await person.post("/sign-in-links"))["url"]
    assert url.startswith(served.url)
    token = url.partition("token=")[2]
    browser = await served.client()
    for _ in range(2):
        assert "Sign in" in (await browser.get(url)).text
    response = await browser.post("/sign-in", data={"token": token})
    assert response.status_code == 303
    cookie = response.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert (await browser.get("/")).status_code == 200
    second = await (await served.client()).post("/sign-in", data={"token": token})
    assert second.status_code == 403


async def test_signing_out_ends_the_session_on_the_server(served: Served, person: Person) -> None:
    browser = await signed_in(served, person)
    session = browser.cookies["rota_session"]
    await browser.post("/sign-out", headers={"Sec-Fetch-Site": "same-origin"})
    stolen = await served.client(cookies={"rota_session": session})
    assert (await stolen.get("/api/v1/me")).status_code == 401
    assert (await stolen.get("/")).headers["location"] == "/sign-in"


async def test_failed_sign_ins_are_limited(served: Served, person: Person) -> None:
    browser = await served.client()
    for _ in range(served.gateway.settings.sign_in_attempts):
        assert (await browser.post("/sign-in", data={"api_key": "rota_guess"})).status_code == 403
    limited = await browser.post("/sign-in", data={"api_key": person.key})
    assert limited.status_code == 429
    assert int(limited.headers["retry-after"]) > 0


CROSS_SITE: tuple[dict[str, str], ...] = (
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {},
)


async def test_another_site_cannot_act_with_the_cookie(served: Served, person: Person, world: World) -> None:
    context = await person.context()
    browser = await signed_in(served, person)
    path = f"/api/v1/contexts/{context}/jobs"
    for headers in CROSS_SITE:
        response = await browser.post(path, json=JOB, headers=headers)
        assert response.status_code == 403, headers
    assert await world.value("SELECT count(*) FROM scheduled_jobs") == 0
    same = await browser.post(path, json=JOB, headers={"Origin": served.url})
    assert same.status_code == 201
    fetched = {"Sec-Fetch-Site": "same-origin"}
    assert (await browser.post(path, json={**JOB, "name": "B"}, headers=fetched)).status_code == 201
    with_key = await person.http.post(
        path, json={**JOB, "name": "C"}, headers={"Origin": "https://evil.example"}
    )
    assert with_key.status_code == 201


async def test_a_foreign_site_cannot_sign_a_browser_in(served: Served, person: Person) -> None:
    browser = await served.client()
    response = await browser.post(
        "/sign-in", data={"api_key": person.key}, headers={"Origin": "https://evil.example"}
    )
    assert response.status_code == 403
    assert "rota_session" not in browser.cookies


async def test_every_answer_tells_the_browser_what_is_not_allowed(served: Served) -> None:
    client = await served.client()
    for path in ("/sign-in", "/api/v1/me", "/nothing", "/api/docs", "/api/openapi.json", "/livez"):
        headers = (await client.get(path)).headers
        assert "script-src 'self'" in headers["content-security-policy"]
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"


async def test_the_api_describes_itself_without_foreign_assets(served: Served) -> None:
    client = await served.client()
    document = (await client.get("/api/openapi.json")).json()
    assert "/api/v1/contexts/{context_id}/jobs" in document["paths"]
    assert document["components"]["securitySchemes"]
    docs = await client.get("/api/docs")
    assert docs.status_code == 200
    assert "cron_expression" in docs.text
    assert "<script" not in docs.text


async def test_the_gateway_says_whether_it_is_ready(served: Served) -> None:
    client = await served.client()
    assert (await client.get("/readyz")).status_code == 200
    await served.gateway.bus.close()
    broken = await client.get("/readyz")
    assert broken.status_code == 503
    assert "nats" in broken.json()["problems"]
    assert (await client.get("/livez")).status_code == 200
