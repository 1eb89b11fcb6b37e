"""What is refused, and that the answer says which field and why."""

import json
from typing import Any
from uuid import uuid4

from tests.integration.gateway.conftest import JOB, Person, Served
from tests.support.world import World

BAD_FIELDS: list[tuple[str, Any]] = [
    ("name", None),
    ("name", 7),
    ("name", True),
    ("name", ""),
    ("name", "   "),
    ("name", "n" * 256),
    ("name", "a/b"),
    ("name", "emoji 🙂"),
    ("name", "line\nbreak"),
    ("name", "nul\x00"),
    ("name", "<b>bold</b>"),
    ("name", "\ud800"),
    ("description", "d" * 1001),
    ("description", 1),
    ("description", "nul\x00"),
    ("description", "escape\x1b[31m"),
    ("cron_expression", ""),
    ("cron_expression", None),
    ("cron_expression", "* * * *"),
    ("cron_expression", "* * * * * *"),
    ("cron_expression", "61 * * * *"),
    ("cron_expression", "@reboot"),
    ("cron_expression", "0 0 31 2 *"),
    ("cron_expression", "every minute"),
    ("cron_expression", "* " * 150),
    ("cron_expression", "* * * * *\x00"),
    ("cron_expression", ["*"]),
    ("timezone", "Mars/Olympus"),
    ("timezone", ""),
    ("timezone", None),
    ("timezone", "../etc/passwd"),
    ("timezone", "UTC\x00"),
    ("timezone", 1),
    ("agent_name", ""),
    ("agent_name", "  "),
    ("agent_name", "a" * 256),
    ("agent_name", "a\x00"),
    ("agent_name", None),
    ("skill_prompt", ""),
    ("skill_prompt", " \n "),
    ("skill_prompt", None),
    ("skill_prompt", "p" * 5001),
    ("skill_prompt", "nul\x00"),
    ("skill_prompt", {"text": "x"}),
    ("is_enabled", "true"),
    ("is_enabled", 1),
    ("is_enabled", None),
    ("timeout_seconds", 29),
    ("timeout_seconds", 3601),
    ("timeout_seconds", "300"),
    ("timeout_seconds", True),
    ("timeout_seconds", 30.5),
    ("timeout_seconds", None),
    ("timeout_seconds", 10**400),
    ("max_retries", -1),
    ("max_retries", 11),
    ("max_retries", True),
    ("max_retries", "1"),
    ("unknown_field", 1),
    ("status", "active"),
]

BAD_CHANNELS: list[tuple[dict[str, Any], str]] = [
    ({"notification_channel": "email"}, "notification_target"),
    ({"notification_target": "a@example.org"}, "notification_target"),
    ({"notification_channel": "telegram", "notification_target": "123"}, "notification_channel"),
    ({"notification_channel": "webhook", "notification_target": "https://x.org"}, "notification_channel"),
    ({"notification_channel": "pigeon", "notification_target": "x"}, "notification_channel"),
    ({"notification_channel": 1, "notification_target": "a@example.org"}, "notification_channel"),
    *(
        ({"notification_channel": "email", "notification_target": target}, "notification_target")
        for target in (
            "",
            "nobody",
            "a@",
            "@b.org",
            "a b@c.org",
            "a@b.org\nBcc: x@y.org",
            "a@b..org",
            "a@-b.org",
        )
    ),
    ({"notification_channel": "email", "notification_target": f"{'a' * 65}@b.org"}, "notification_target"),
]


async def test_every_bad_field_of_a_job_is_refused_by_name(person: Person, world: World) -> None:
    context = await person.context()
    failures = []
    for field, value in BAD_FIELDS:
        body = json.dumps({**JOB, field: value})
        response = await person.http.post(
            f"/api/v1/contexts/{context}/jobs", content=body, headers={"Content-Type": "application/json"}
        )
        fields = [error["field"] for error in response.json().get("errors", [])]
        if response.status_code != 422 or fields != [field]:
            failures.append((field, value, response.status_code, response.json()))
    assert failures == []
    assert await world.value("SELECT count(*) FROM scheduled_jobs") == 0


async def test_every_bad_channel_is_refused_by_name(person: Person) -> None:
    context = await person.context()
    failures = []
    for fields, wrong in BAD_CHANNELS:
        response = await person.http.post(f"/api/v1/contexts/{context}/jobs", json={**JOB, **fields})
        named = [error["field"] for error in response.json().get("errors", [])]
        if response.status_code != 422 or named != [wrong]:
            failures.append((fields, response.status_code, response.json()))
    assert failures == []


async def test_the_bounds_themselves_are_accepted(person: Person) -> None:
    context = await person.context()
    job = await person.job(
        context,
        name="n" * 255,
        description="d" * 1000,
        skill_prompt="line\n\ttwo".ljust(5000, "p"),
        agent_name="no such agent",
        timeout_seconds=30,
        max_retries=10,
        notification_channel="email",
        notification_target="first.last+tag@sub.example.org",
    )
    assert (len(job["name"]), len(job["skill_prompt"]), job["timeout_seconds"]) == (255, 5000, 30)
    await person.job(context, name="x", description=None, timeout_seconds=3600, max_retries=0)


async def test_all_wrong_fields_are_named_at_once_with_the_place_of_a_cron_error(person: Person) -> None:
    context = await person.context()
    body = {"name": "", "skill_prompt": "", "timeout_seconds": 1}
    response = await person.http.post(f"/api/v1/contexts/{context}/jobs", json=body)
    fields = {error["field"] for error in response.json()["errors"]}
    assert fields == {"name", "skill_prompt", "timeout_seconds", "cron_expression"}
    body = {
        "name": "a/b",
        "cron_expression": "61 * * * *",
        "timezone": "Mars/Olympus",
        "skill_prompt": "p",
        "notification_channel": "email",
        "max_retries": 11,
    }
    response = await person.http.post(f"/api/v1/contexts/{context}/jobs", json=body)
    fields = {error["field"] for error in response.json()["errors"]}
    assert fields == (body.keys() - {"skill_prompt", "notification_channel"}) | {"notification_target"}
    job = await person.job(context)
    body = {"cron_expression": "* * *", "timezone": "Mars", "notification_channel": "pigeon", "name": ""}
    response = await person.http.patch(f"/api/v1/jobs/{job['id']}", json=body)
    assert {error["field"] for error in response.json()["errors"]} == body.keys()
    response = await person.http.post(
        f"/api/v1/contexts/{context}/jobs", json={**JOB, "cron_expression": "0 25 * * *"}
    )
    message = response.json()["errors"][0]["message"]
    assert "hour" in message
    assert "cron_expression" not in message


async def test_a_body_that_is_no_json_object_is_refused(person: Person) -> None:
    malformed = (b"{", b"{'a': 1}", b"\xff\xfe", b"[" * 100_000, b"nonsense")
    invalid = (b"[]", b"null", b"1", b'"text"', b"")
    for status, contents in ((400, malformed), (422, invalid)):
        for content in contents:
            response = await person.http.post(
                "/api/v1/contexts", content=content, headers={"Content-Type": "application/json"}
            )
            assert (response.status_code, response.json()["status"]) == (status, status), content[:20]
            assert response.headers["content-type"] == "application/problem+json"


async def test_another_content_type_is_refused(person: Person) -> None:
    response = await person.http.post("/api/v1/contexts", content=b'{"name": "x"}')
    assert response.status_code == 415
    response = await person.http.post("/api/v1/contexts", data={"name": "x"})
    assert response.status_code == 415


async def test_a_body_over_a_mebibyte_is_refused_also_in_chunks(person: Person) -> None:
    headers = {"Content-Type": "application/json"}
    response = await person.http.post("/api/v1/contexts", content=b" " * (1024 * 1024 + 1), headers=headers)
    assert (response.status_code, response.json()["status"]) == (413, 413)

    async def chunks() -> Any:
        for _ in range(100):
            yield b" " * 65_536

    response = await person.http.post("/api/v1/contexts", content=chunks(), headers=headers)
    assert (response.status_code, response.headers["content-type"]) == (413, "application/problem+json")


async def test_an_unknown_or_malformed_id_is_not_found(person: Person) -> None:
    paths = (
        "jobs/{}",
        "contexts/{}",
        "runs/{}",
        "conversations/{}",
        "jobs/{}/occurrences",
        "contexts/{}/jobs",
    )
    for path in paths:
        for identity in (str(uuid4()), "no-uuid", "%00", "1"):
            response = await person.http.get(f"/api/v1/{path.format(identity)}")
            assert (response.status_code, response.json()["status"]) == (404, 404), (path, identity)


async def test_an_unknown_agent_is_not_found(person: Person) -> None:
    for name in ("nobody", "%00", "a%0Ab"):
        assert (await person.http.get(f"/api/v1/agents/{name}")).status_code == 404


async def test_unknown_routes_and_methods_are_problem_documents(person: Person) -> None:
    missing = await person.http.get("/api/v1/nothing")
    assert (missing.status_code, missing.headers["content-type"]) == (404, "application/problem+json")
    wrong = await person.http.put("/api/v1/contexts")
    assert (wrong.status_code, wrong.headers["content-type"]) == (405, "application/problem+json")
    assert "GET" in wrong.headers["allow"]


async def test_head_answers_like_get_without_the_body(served: Served, person: Person) -> None:
    for path in (
        "/api/v1/contexts",
        "/api/openapi.json",
        "/api/docs",
        "/livez",
        "/sign-in",
        "/static/rota.css",
    ):
        got, headed = await person.http.get(path), await person.http.head(path)
        assert (headed.status_code, headed.content) == (got.status_code, b"") == (200, b""), path
        assert headed.headers["content-type"] == got.headers["content-type"]
        assert headed.headers["content-length"] == str(len(got.content))
    assert (await person.http.head(f"/api/v1/jobs/{uuid4()}")).status_code == 404
    assert (await person.http.head("/api/v1/events")).status_code == 200
    assert (await (await served.client()).head("/api/v1/contexts")).status_code == 401


BAD_QUERIES = (
    ({"limit": "0"}, "limit"),
    ({"limit": "201"}, "limit"),
    ({"limit": "many"}, "limit"),
    ({"cursor": "nonsense"}, "cursor"),
    ({"cursor": ""}, "cursor"),
    ({"cursor": "WyJhIiwiYiJd"}, "cursor"),
    ({"cursor": "bnVsbA"}, "cursor"),
    ({"cursor": "é"}, "cursor"),
    ({"status": "finished"}, "status"),
    ({"job_id": "1"}, "job_id"),
)


async def test_bad_query_parameters_are_refused_by_name(person: Person) -> None:
    for query, field in BAD_QUERIES:
        response = await person.http.get("/api/v1/runs", params=query)
        assert response.status_code == 422, query
        assert [error["field"] for error in response.json()["errors"]] == [field]


async def test_nobody_gets_in_without_a_valid_key(served: Served) -> None:
    client = await served.client()
    for headers in (
        {},
        {"Authorization": "Bearer rota_wrong"},
        {"Authorization": "Bearer"},
        {"Authorization": "Basic eDp5"},
        {"Cookie": "rota_session=wrong"},
    ):
        response = await client.get("/api/v1/jobs", headers=headers)
        assert response.status_code == 401
        assert response.headers["www-authenticate"].startswith("Bearer")
        assert response.headers["content-type"] == "application/problem+json"


async def test_a_parameter_that_would_do_nothing_is_refused_and_the_ones_that_there_are_are_named(
    person: Person,
) -> None:
    job = await person.job(await person.context())
    mistyped = await person.http.get(
        f"/api/v1/jobs/{job['id']}/occurrences", params={"dispositon": "missed", "limit": 3}
    )
    assert mistyped.status_code == 422
    (error,) = mistyped.json()["errors"]
    assert error["field"] == "dispositon"
    assert "disposition" in error["message"]
    needless = await person.http.get(f"/api/v1/jobs/{job['id']}", params={"limit": 3})
    assert needless.json()["errors"] == [
        {"field": "limit", "message": "is no parameter of this address: it takes none"}
    ]


async def test_what_becomes_of_a_pause_is_not_said_at_its_begin(person: Person) -> None:
    job = await person.job(await person.context())
    path = f"/jobs/{job['id']}/toggle"
    problem = await person.post(path, {"is_enabled": False, "catch_up": "all"}, status=422)
    assert [error["field"] for error in problem["errors"]] == ["catch_up"]
    assert (await person.get(f"/jobs/{job['id']}"))["is_enabled"] is True
