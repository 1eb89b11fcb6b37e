"""Schedules, policies and tools in a definition: what is taken, what is refused with which reason."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from rota_contracts.tools import ToolDescription
from tests.integration.gateway.conftest import JOB, Person, a_timer, announce
from tests.support.world import World

SECONDS = {"cron_expression": "*/10 * * * * *", "seconds_field": True}
FAST: dict[str, Any] = {"min_period_seconds": 1}

# The context, the fields, the field that is named, words of the reason.
REFUSED: list[tuple[dict[str, Any], dict[str, Any], str, str]] = [
    ({}, {"cron_expression": "0 0 31 2 *"}, "cron_expression", "never comes"),
    ({}, {"cron_expression": "1," * 100 + "1 * * * *"}, "cron_expression", "at most 200"),
    ({}, {"cron_expression": "R * * * *"}, "cron_expression", "'R'"),
    ({}, {"cron_expression": "@reboot"}, "cron_expression", "no boot"),
    ({}, {"cron_expression": "@every 0s"}, "cron_expression", "shorter than a second"),
    ({}, {"cron_expression": "@every soon"}, "cron_expression", "no duration"),
    ({}, {"cron_expression": ["0 9 * * *", "61 * * * *"]}, "cron_expression", "part 2"),
    ({}, {"cron_expression": []}, "cron_expression", "string"),
    ({}, {"cron_expression": [1]}, "cron_expression", "string"),
    ({}, {"cron_expression": ["0 9 * * *"] * 21}, "cron_expression", "21 parts"),
    ({}, {"cron_expression": "* * * * * *"}, "cron_expression", "seconds_field"),
    ({}, {"cron_expression": "@at 2020-01-01T09:00"}, "cron_expression", "in the past"),
    ({}, {"cron_expression": "@every 59s"}, "cron_expression", "min_period_seconds"),
    ({}, SECONDS, "cron_expression", "10 s"),
    ({"min_period_seconds": 11}, SECONDS, "cron_expression", "10 s"),
    ({"min_period_seconds": 3600}, {"cron_expression": "0,30 9 * * *"}, "cron_expression", "1800 s"),
    ({}, {"cron_expression": "0 9 * * *; 30 9 * * * 1"}, "cron_expression", "part 2"),
    ({}, {"timezone": "Mars/Olympus"}, "timezone", "IANA"),
    ({}, {"dst_gap": "jump"}, "dst_gap", "shift"),
    ({}, {"dst_repeat": None}, "dst_repeat", "first"),
    ({}, {"seconds_field": "yes"}, "seconds_field", "boolean"),
    ({}, {"start_at": "2027-01-01T09:00"}, "start_at", "offset"),
    ({}, {"start_at": 1800000000}, "start_at", "written like"),
    ({}, {"start_at": "9999-01-01T00:00:00Z"}, "start_at", "between"),
    ({}, {"start_at": "2027-13-01T00:00:00Z"}, "start_at", "month"),
    ({}, {"end_at": "2020-01-01T00:00:00Z"}, "end_at", "in the past"),
    (
        {},
        {"start_at": "2030-01-02T00:00:00Z", "end_at": "2030-01-01T00:00:00Z"},
        "end_at",
        "before start_at",
    ),
    (
        {},
        {
            "cron_expression": "0 9 * * *",
            "start_at": "2030-01-01T10:00:00Z",
            "end_at": "2030-01-01T11:00:00Z",
        },
        "end_at",
        "nothing is due",
    ),
    ({}, {"max_runs": 0}, "max_runs", "greater"),
    ({}, {"jitter_seconds": 86_401}, "jitter_seconds", "86400"),
    ({}, {"jitter_seconds": -1}, "jitter_seconds", "0"),
    ({}, {"cron_expression": "*/5 * * * *", "jitter_seconds": 300}, "jitter_seconds", "less than the 300 s"),
    ({}, {"excluded_dates": ["2027-02-30"]}, "excluded_dates[0]", "day"),
    ({}, {"excluded_dates": ["2027-01-01", 5]}, "excluded_dates[1]", "written like"),
    ({}, {"excluded_dates": ["2027-01-01"] * 1001}, "excluded_dates", "1000"),
    ({}, {"calendars": ["Holidays"]}, "calendars", "no calendar 'Holidays'"),
    ({}, {"calendars": "Holidays"}, "calendars", "list"),
    ({}, {"overlap_policy": "queue"}, "overlap_policy", "buffer_one"),
    ({}, {"catch_up_policy": "none"}, "catch_up_policy", "latest"),
    ({}, {"catch_up_window_seconds": 2_678_401}, "catch_up_window_seconds", "2678400"),
    ({}, {"catch_up_max_runs": 0}, "catch_up_max_runs", "1"),
    ({}, {"retry_backoff": "linear"}, "retry_backoff", "fixed"),
    ({}, {"retry_backoff_seconds": 0}, "retry_backoff_seconds", "1"),
    (
        {},
        {"retry_backoff": "exponential", "retry_backoff_seconds": 60, "retry_backoff_max_seconds": 30},
        "retry_backoff_max_seconds",
        "retry_backoff_seconds",
    ),
    ({}, {"priority": 0}, "priority", "1"),
    ({}, {"priority": 10}, "priority", "9"),
    ({}, {"queue_ttl_seconds": 0}, "queue_ttl_seconds", "1"),
    ({}, {"auto_pause_after": 0}, "auto_pause_after", "1"),
    ({}, {"continuity": "always"}, "continuity", "'last_outcome'"),
    ({}, {"continuity_outcomes": 21}, "continuity_outcomes", "20"),
    ({}, {"continuity_max_chars": 999}, "continuity_max_chars", "1000"),
    ({}, {"approval_expiry_seconds": 31 * 86_400}, "approval_expiry_seconds", "2592000"),
    ({}, {"approval_expiry_action": "allow"}, "approval_expiry_action", "'deny' or 'fail'"),
    ({}, {"paused_until": "2020-01-01T00:00:00Z"}, "paused_until", "in the past"),
    ({}, {"tool": "no_such_tool"}, "tool", "machine_disk"),
    ({}, {"tool": "machine_disk", "arguments": {"path": 7}}, "arguments.path", "string"),
    ({}, {"tool": "machine_disk", "arguments": {"folder": "/"}}, "arguments", "'folder' was unexpected"),
    ({}, {"tool": "machine_disk", "arguments": []}, "arguments", "dictionary"),
    ({}, {"tool": "machine_disk", "arguments": {"path": "\x00"}}, "arguments", "control characters"),
    ({}, {"tool": "machine_disk", "agent_name": "watchman"}, "agent_name", "leave one of the two out"),
    (
        {},
        {"tool": "machine_disk", "approval_expiry_seconds": 600},
        "approval_expiry_seconds",
        "set it to null",
    ),
    ({}, {"tool": "machine_disk", "approval_expiry_action": "fail"}, "approval_expiry_action", "no effect"),
    ({}, {"tool": "machine_disk", "continuity": "last_outcome"}, "continuity", "set it to 'none'"),
    ({}, {"tool": "machine_disk", "continuity_outcomes": 6}, "continuity_outcomes", "set it to 5"),
    ({}, {"tool": "machine_disk", "continuity_max_chars": 9_000}, "continuity_max_chars", "set it to 20000"),
    ({}, {"arguments": {"path": "/"}}, "arguments", "for a tool"),
    ({}, {"skill_prompt": ""}, "skill_prompt", "unless the job calls a tool"),
    ({}, {"excluded_instants": []}, "excluded_instants", "no such field"),
    ({}, {"calendar_dates": []}, "calendar_dates", "no such field"),
]


async def test_every_bad_definition_is_refused_with_the_field_and_the_reason(
    person: Person, world: World
) -> None:
    contexts: dict[str, str] = {}
    failures = []
    for options, fields, field, words in REFUSED:
        key = json.dumps(options)
        contexts[key] = contexts.get(key) or await person.context(**options)
        response = await person.http.post(f"/api/v1/contexts/{contexts[key]}/jobs", json={**JOB, **fields})
        told = [(error["field"], error["message"]) for error in response.json().get("errors", [])]
        if response.status_code != 422 or [one[0] for one in told] != [field] or words not in told[0][1]:
            failures.append((fields, response.status_code, told))
    assert failures == []
    assert await world.value("SELECT count(*) FROM scheduled_jobs") == 0


async def test_a_patch_is_refused_for_the_same_reasons(person: Person) -> None:
    job = await person.job(await person.context())
    failures = []
    for options, fields, field, words in REFUSED:
        if options or field in {"agent_name", "skill_prompt"}:
            continue
        response = await person.http.patch(f"/api/v1/jobs/{job['id']}", json=fields)
        told = [(error["field"], error["message"]) for error in response.json().get("errors", [])]
        if response.status_code != 422 or [one[0] for one in told] != [field] or words not in told[0][1]:
            failures.append((fields, response.status_code, told))
    assert failures == []
    assert await person.get(f"/jobs/{job['id']}") == job


async def test_every_field_comes_back_as_it_was_given(person: Person, world: World) -> None:
    context = await person.context(**FAST)
    await world.sql(
        "INSERT INTO calendars (context_id, name, dates) VALUES (:id, 'Holidays', '{2030-12-25}')",
        id=UUID(context),
    )
    given: dict[str, Any] = {
        **SECONDS,
        "timezone": "Europe/Berlin",
        "dst_gap": "skip",
        "dst_repeat": "both",
        "start_at": "2030-01-01T00:00:00Z",
        "end_at": "2031-01-01T00:00:00Z",
        "max_runs": 5,
        "jitter_seconds": 9,
        "excluded_dates": ["2030-12-24", "2030-12-31"],
        "calendars": ["Holidays"],
        "overlap_policy": "cancel_other",
        "catch_up_policy": "all",
        "catch_up_window_seconds": 0,
        "catch_up_max_runs": 7,
        "max_retries": 3,
        "retry_backoff": "exponential",
        "retry_backoff_seconds": 5,
        "retry_backoff_max_seconds": 50,
        "priority": 1,
        "queue_ttl_seconds": 60,
        "auto_pause_after": 3,
        "continuity": "last_n_outcomes",
        "continuity_outcomes": 7,
        "continuity_max_chars": 9000,
        "approval_expiry_seconds": 3600,
        "approval_expiry_action": "fail",
        "paused_until": "2030-01-02T00:00:00Z",
    }
    job = await person.job(context, **given)
    assert {name: job[name] for name in given} == given
    assert job["status"] == "paused"
    assert job["next_run_at"] == "2030-01-02T00:00:00Z"
    delay = datetime.fromisoformat(job["next_effective_at"]) - datetime.fromisoformat(job["next_run_at"])
    assert timedelta() <= delay <= timedelta(seconds=9)
    assert job["schedule_description"].startswith("Every 10 seconds")
    cleared = dict.fromkeys(("start_at", "end_at", "max_runs", "paused_until", "queue_ttl_seconds"))
    changed = await person.http.patch(f"/api/v1/jobs/{job['id']}", json={**cleared, "calendars": []})
    assert {name: changed.json()[name] for name in cleared} == cleared


async def test_the_kinds_of_schedules_are_told_in_words_with_their_next_run(person: Person) -> None:
    context = await person.context(**FAST)
    for number, (expression, words) in enumerate(
        [
            ("@hourly", "hour"),
            ("@every 90s", "Every 1 minute 30 seconds"),
            ("@at 2030-01-31T09:00", "Once at 2030-01-31 09:00"),
            (["0 9 * * 1-5", "0 12 * * 6"], "Monday through Friday"),
            ("0 9 L * *", "last day"),
        ]
    ):
        job = await person.job(context, name=f"Job {number}", cron_expression=expression)
        assert words in job["schedule_description"], job["schedule_description"]
        assert job["next_run_at"] is not None
    assert job["cron_expression"] == "0 9 L * *"


async def test_an_interval_counts_from_the_creation_of_its_job(person: Person) -> None:
    job = await person.job(await person.context(), cron_expression="@every 7h")
    created = datetime.fromisoformat(job["created_at"]).replace(microsecond=0)
    assert datetime.fromisoformat(job["next_run_at"]) == created + timedelta(hours=7)


async def test_what_is_over_may_still_be_renamed(person: Person, world: World) -> None:
    job = await person.job(await person.context(), cron_expression="@at 2030-01-31T09:00")
    await world.sql("UPDATE scheduled_jobs SET cron_expression = '@at 2020-01-31T09:00'")
    renamed = await person.http.patch(f"/api/v1/jobs/{job['id']}", json={"name": "Old", "timezone": "UTC"})
    assert (renamed.status_code, renamed.json()["next_run_at"]) == (200, None)
    moved = await person.http.patch(f"/api/v1/jobs/{job['id']}", json={"timezone": "Asia/Tokyo"})
    assert (moved.status_code, moved.json()["errors"][0]["field"]) == (422, "cron_expression")


async def test_a_job_may_call_a_tool_instead_of_an_agent(person: Person, world: World) -> None:
    context = await person.context()
    await world.sql(
        "INSERT INTO tools (name, description, effect, parameters) "
        "VALUES ('echo', '', 'read', CAST(:p AS jsonb))",
        p=json.dumps(
            {"type": "object", "required": ["n"], "properties": {"n": {"type": "integer", "maximum": 9}}}
        ),
    )
    body = {"name": "Echo", "cron_expression": "@daily", "tool": "echo", "arguments": {"n": 9}}
    job = await person.post(f"/contexts/{context}/jobs", body)
    assert (job["tool"], job["arguments"], job["skill_prompt"]) == ("echo", {"n": 9}, "")
    for arguments, field in (({}, "arguments"), ({"n": 10}, "arguments.n"), ({"n": "9"}, "arguments.n")):
        refused = await person.http.patch(f"/api/v1/jobs/{job['id']}", json={"arguments": arguments})
        assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, field)
    refused = await person.http.patch(f"/api/v1/jobs/{job['id']}", json={"tool": None})
    fields = {error["field"] for error in refused.json()["errors"]}
    assert (refused.status_code, fields) == (422, {"arguments", "skill_prompt"})
    agent: dict[str, Any] = {"tool": None, "arguments": {}, "skill_prompt": "Say something."}
    assert (await person.http.patch(f"/api/v1/jobs/{job['id']}", json=agent)).status_code == 200


async def test_a_job_that_calls_a_tool_is_told_nothing_for_one_run(person: Person) -> None:
    tool = {"tool": "machine_disk", "arguments": {"path": "/"}}
    job = await person.job(await person.context(), **tool)
    problem = await person.post(f"/jobs/{job['id']}/run", {"prompt_context": "only today"}, status=422)
    assert [error["field"] for error in problem["errors"]] == ["prompt_context"]
    await person.post(f"/jobs/{job['id']}/run", {"prompt_context": ""}, status=202)


async def test_what_only_an_agent_heeds_is_taken_from_a_job_before_it_calls_a_tool(person: Person) -> None:
    patience = {"approval_expiry_seconds": 600, "continuity": "conversation"}
    job = await person.job(await person.context(), **patience)
    path, tool = f"/api/v1/jobs/{job['id']}", {"tool": "machine_disk", "arguments": {"path": "/"}}
    refused = await person.http.patch(path, json=tool)
    fields = [error["field"] for error in refused.json()["errors"]]
    assert (refused.status_code, fields) == (422, ["continuity", "approval_expiry_seconds"])
    without = {"approval_expiry_seconds": None, "continuity": "none"}
    assert (await person.http.patch(path, json={**tool, **without})).status_code == 200


async def test_enabling_says_what_becomes_of_the_pause(person: Person, world: World) -> None:
    job = await person.job(await person.context())
    path = f"/jobs/{job['id']}/toggle"
    paused = await person.post(path, {"is_enabled": False, "reason": "noisy"}, status=200)
    email = await world.value("SELECT email FROM users WHERE id = :id", id=person.id)
    assert (paused["pause_reason"], paused["paused_by"], paused["next_run_at"]) == ("noisy", email, None)
    assert datetime.fromisoformat(paused["paused_at"]) > datetime.fromisoformat(job["created_at"])
    enabled = await person.post(path, {"is_enabled": True, "catch_up": "all"}, status=200)
    assert (enabled["status"], enabled["paused_by"], enabled["paused_at"]) == ("active", None, None)
    stored = "SELECT resume_catch_up, resumed_at FROM scheduled_jobs"
    [(choice, resumed_at)] = await world.sql(stored)
    assert (choice, resumed_at > datetime.fromisoformat(paused["paused_at"])) == ("all", True)
    await person.post(path, {"is_enabled": True, "catch_up": "latest"}, status=200)
    assert (await world.sql(stored))[0][0] == "all"
    await person.post(path, status=200)
    await person.post(path, status=200)
    assert (await world.sql(stored))[0][0] == "none"
    for body, field in (({"catch_up": "some"}, "catch_up"), ({"reason": 1}, "reason")):
        refused = await person.http.post(f"/api/v1{path}", json=body)
        assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, field)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/toggle", None),
        ("POST", "/toggle", {"is_enabled": True}),
        ("POST", "/toggle", {"is_enabled": True, "catch_up": "latest"}),
        ("PATCH", "", {"is_enabled": True}),
    ],
)
async def test_a_pause_that_the_ticker_ordered_is_told_and_ended(
    person: Person, world: World, method: str, path: str, body: dict[str, Any] | None
) -> None:
    job = await person.job(await person.context())
    at = datetime.now(UTC)
    await a_timer(world, UUID(job["id"]), paused_at=at, pause_reason="paused after 3 failures in a row")
    paused = await person.get(f"/jobs/{job['id']}")
    assert (paused["status"], paused["is_enabled"], paused["next_run_at"]) == ("paused", True, None)
    assert (paused["pause_reason"], paused["paused_by"]) == ("paused after 3 failures in a row", "ticker")
    assert datetime.fromisoformat(paused["paused_at"]) == at
    refused = await person.http.post(f"/api/v1/jobs/{job['id']}/run")
    assert (refused.status_code, "3 failures" in refused.json()["detail"]) == (409, True)
    enabled = (await person.http.request(method, f"/api/v1/jobs/{job['id']}{path}", json=body)).json()
    assert (enabled["status"], enabled["paused_by"], enabled["pause_reason"]) == ("active", None, None)
    assert enabled["next_run_at"] == job["next_run_at"]
    assert await world.value("SELECT generation FROM scheduled_jobs") == 2


async def test_a_pause_until_an_instant_is_ended_by_enabling(person: Person) -> None:
    job = await person.job(await person.context(), paused_until="2030-01-02T00:00:00Z")
    assert (job["status"], job["next_run_at"]) == ("paused", "2030-01-02T07:30:00Z")
    refused = await person.http.post(f"/api/v1/jobs/{job['id']}/run")
    assert (refused.status_code, "2030-01-02 00:00:00 UTC" in refused.json()["detail"]) == (409, True)
    enabled = await person.post(f"/jobs/{job['id']}/toggle", status=200)
    assert (enabled["status"], enabled["paused_until"]) == ("active", None)


async def test_the_next_instant_is_skipped_and_then_the_one_after(person: Person, world: World) -> None:
    job = await person.job(await person.context(), cron_expression="0 9 * * *", excluded_dates=["2030-01-02"])
    await world.sql(
        "UPDATE scheduled_jobs SET start_at = '2030-01-01', excluded_instants = '{2020-01-01 09:00+00}'"
    )
    first = await person.post(f"/jobs/{job['id']}/skip-next", status=200)
    assert first["excluded_instants"] == ["2030-01-01T09:00:00Z"]
    assert first["next_run_at"] == "2030-01-03T09:00:00Z"
    second = await person.post(f"/jobs/{job['id']}/skip-next", status=200)
    assert second["excluded_instants"] == ["2030-01-01T09:00:00Z", "2030-01-03T09:00:00Z"]
    assert second["next_run_at"] == "2030-01-04T09:00:00Z"
    await person.http.patch(f"/api/v1/jobs/{job['id']}", json={"end_at": "2030-01-03T09:00:00Z"})
    refused = await person.http.post(f"/api/v1/jobs/{job['id']}/skip-next")
    assert (refused.status_code, "nothing to skip" in refused.json()["detail"]) == (409, True)
    await person.post(f"/jobs/{job['id']}/toggle", status=200)
    assert (await person.http.post(f"/api/v1/jobs/{job['id']}/skip-next")).status_code == 409


@pytest.mark.parametrize("schema", [{"$ref": "https://example.org/x"}, {"type": "nonsense"}])
async def test_a_tool_whose_schema_cannot_be_used_is_refused(
    person: Person, world: World, schema: dict[str, Any]
) -> None:
    await announce(world, ToolDescription(name="odd", description="Odd.", effect="read", parameters=schema))
    body = {**JOB, "tool": "odd", "arguments": {"a": 1}}
    problem = await person.post(f"/contexts/{await person.context()}/jobs", body, status=422)
    assert problem["errors"][0]["field"] == "tool"
    assert "its JSON Schema is not usable" in problem["errors"][0]["message"]
