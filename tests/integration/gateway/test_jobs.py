"""Jobs over HTTP: create, read, change, pause, run, delete."""

import asyncio
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest

from rota_bus import Bus
from rota_contracts.codec import decode_payload
from rota_contracts.events import JobChanged, RunRequested
from tests.integration.gateway.conftest import JOB, Person, Served, a_timer
from tests.support.eventually import eventually
from tests.support.world import World


async def test_a_created_job_has_its_defaults_and_its_next_run(person: Person) -> None:
    job = await person.job(await person.context("Home"))
    assert job["context_name"] == "Home"
    assert job["status"] == "active"
    assert (job["timezone"], job["agent_name"]) == ("UTC", "orchestrator")
    assert (job["timeout_seconds"], job["max_retries"]) == (300, 0)
    assert (job["run_count"], job["error_count"], job["last_run_at"]) == (0, 0, None)
    assert job["owner_id"] == str(person.id)
    assert job["next_run_at"].endswith(":30:00Z")
    assert datetime.fromisoformat(job["next_run_at"]) > datetime.now(UTC)
    assert await person.get(f"/jobs/{job['id']}") == job


async def test_a_created_job_is_hinted_to_the_ticker(person: Person, ticker_bus: Bus) -> None:
    heard: asyncio.Queue[JobChanged] = asyncio.Queue()

    async def hear(subject: str, payload: bytes) -> None:
        event = decode_payload(JobChanged.TYPE, payload)
        assert isinstance(event, JobChanged)
        await heard.put(event)

    await ticker_bus.listen("job.changed.*.*", hear)
    job = await person.job(await person.context())
    created = await asyncio.wait_for(heard.get(), 15)
    assert (str(created.job_id), created.change, created.generation) == (job["id"], "created", 1)
    await person.http.patch(f"/api/v1/jobs/{job['id']}", json={"timeout_seconds": 60})
    assert (await asyncio.wait_for(heard.get(), 15)).generation == 2
    await person.http.delete(f"/api/v1/jobs/{job['id']}")
    assert (await asyncio.wait_for(heard.get(), 15)).change == "deleted"


async def test_a_name_is_trimmed_and_may_have_letters_of_any_script(person: Person) -> None:
    context = await person.context()
    assert (await person.job(context, name="  Übersicht 7_a-b  "))["name"] == "Übersicht 7_a-b"
    assert (await person.job(context, name="दैनिक रिपोर्ट"))["name"] == "दैनिक रिपोर्ट"


async def test_a_second_job_of_the_same_name_in_a_context_is_refused_naming_the_field(person: Person) -> None:
    context = await person.context()
    await person.job(context)
    refused = await person.http.post(f"/api/v1/contexts/{context}/jobs", json=JOB)
    assert refused.status_code == 409
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.json()["errors"][0]["field"] == "name"
    await person.job(await person.context())


async def test_renaming_a_job_to_a_taken_name_is_refused(person: Person) -> None:
    context = await person.context()
    await person.job(context)
    second = await person.job(context, name="Second")
    refused = await person.http.patch(f"/api/v1/jobs/{second['id']}", json={"name": JOB["name"]})
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (409, "name")


async def test_a_patch_changes_what_it_names_and_null_clears(person: Person) -> None:
    context = await person.context()
    job = await person.job(
        context, description="x", notification_channel="email", notification_target="a@example.org"
    )
    patch = {"description": None, "notification_channel": None, "notification_target": None, "max_retries": 2}
    changed = (await person.http.patch(f"/api/v1/jobs/{job['id']}", json=patch)).json()
    assert {name: changed[name] for name in patch} == patch
    assert changed["skill_prompt"] == job["skill_prompt"]
    assert changed["updated_at"] > job["updated_at"]


@pytest.mark.parametrize("patch", [{}, {"timeout_seconds": 300}, {"name": " Morning briefing "}])
async def test_a_patch_that_changes_nothing_makes_no_new_generation(
    person: Person, world: World, patch: dict[str, object]
) -> None:
    job = await person.job(await person.context())
    response = await person.http.patch(f"/api/v1/jobs/{job['id']}", json=patch)
    assert response.json() == job
    assert await world.value("SELECT generation FROM scheduled_jobs") == 1


@pytest.mark.parametrize(
    ("patch", "field"),
    [
        ({"name": None}, "name"),
        ({"timezone": "Mars/Olympus"}, "timezone"),
        ({"notification_channel": "email"}, "notification_target"),
        ({"notification_target": "a@example.org"}, "notification_target"),
        ({"id": str(uuid4())}, "id"),
    ],
)
async def test_a_patch_is_checked_together_with_what_is_stored(
    person: Person, patch: dict[str, object], field: str
) -> None:
    job = await person.job(await person.context())
    refused = await person.http.patch(f"/api/v1/jobs/{job['id']}", json=patch)
    assert refused.status_code == 422
    assert [error["field"] for error in refused.json()["errors"]] == [field]


async def test_pausing_clears_the_next_run_and_enabling_computes_it_again(person: Person) -> None:
    job = await person.job(await person.context())
    paused = await person.post(f"/jobs/{job['id']}/toggle", {"reason": "holidays"}, status=200)
    assert (paused["status"], paused["is_enabled"], paused["next_run_at"]) == ("paused", False, None)
    assert paused["pause_reason"] == "holidays"
    enabled = await person.post(f"/jobs/{job['id']}/toggle", status=200)
    assert (enabled["status"], enabled["pause_reason"]) == ("active", None)
    assert enabled["next_run_at"] == job["next_run_at"]
    again = await person.post(f"/jobs/{job['id']}/toggle", {"is_enabled": True}, status=200)
    assert again == enabled


async def test_run_now_stores_a_request_and_publishes_it(person: Person, world: World) -> None:
    job = await person.job(await person.context())
    ticker = await world.bus("ticker")
    heard: asyncio.Queue[bytes] = asyncio.Queue()

    async def hear(subject: str, payload: bytes) -> None:
        await heard.put(payload)

    await ticker.listen("run.requested.*.*", hear)
    run_id = (await person.post(f"/jobs/{job['id']}/run", status=202))["run_id"]
    event = decode_payload(RunRequested.TYPE, await asyncio.wait_for(heard.get(), 15))
    assert isinstance(event, RunRequested)
    assert (str(event.run_id), event.requested_by) == (run_id, person.id)
    assert await world.value("SELECT job_id FROM run_requests WHERE run_id = :id", id=UUID(run_id)) == UUID(
        job["id"]
    )
    run = await person.get(f"/runs/{run_id}")
    assert (run["status"], run["state"], run["job_name"]) == (None, "queued", job["name"])


async def test_a_run_now_may_carry_words_for_the_agent_and_nothing_unknown(
    person: Person, world: World
) -> None:
    path = f"/jobs/{(await person.job(await person.context()))['id']}/run"
    await person.post(path, {"prompt_context": "only the disk"}, status=202)
    assert await world.value("SELECT prompt_context FROM run_requests") == "only the disk"
    refused: list[Any] = [{"prompt": "x"}, {"prompt_context": 1}, {"prompt_context": "p" * 5001}, []]
    for body in refused:
        await person.post(path, body, status=422)
    assert await world.value("SELECT count(*) FROM run_requests") == 1


async def test_a_requested_run_that_was_skipped_shows_the_closed_occurrence(
    person: Person, world: World
) -> None:
    job = await person.job(await person.context())
    run_id = (await person.post(f"/jobs/{job['id']}/run", status=202))["run_id"]
    run = await person.get(f"/runs/{run_id}")
    assert (run["state"], run["disposition"], run["reason"], run["status"]) == ("queued", None, None, None)
    await world.an_occurrence(
        UUID(job["id"]),
        run_id=UUID(run_id),
        state="closed",
        disposition="skipped",
        reason="the previous run is still open",
        closed_at=datetime.now(UTC),
    )
    run = await person.get(f"/runs/{run_id}")
    assert (run["state"], run["disposition"], run["status"]) == ("closed", "skipped", None)
    assert (run["reason"], run["error_message"]) == ("the previous run is still open", None)


async def test_running_a_paused_job_is_refused_with_the_reason(person: Person, world: World) -> None:
    job = await person.job(await person.context())
    await person.post(f"/jobs/{job['id']}/toggle", {"reason": "the printer is broken"}, status=200)
    refused = await person.http.post(f"/api/v1/jobs/{job['id']}/run")
    assert refused.status_code == 409
    assert "the printer is broken" in refused.json()["detail"]
    assert await world.value("SELECT count(*) FROM run_requests") == 0


async def test_a_deleted_job_is_gone(person: Person) -> None:
    job = await person.job(await person.context())
    assert (await person.http.delete(f"/api/v1/jobs/{job['id']}")).status_code == 204
    assert (await person.http.get(f"/api/v1/jobs/{job['id']}")).status_code == 404
    assert (await person.http.delete(f"/api/v1/jobs/{job['id']}")).status_code == 404


async def test_deleting_a_context_deletes_its_jobs(person: Person, world: World) -> None:
    context = await person.context()
    await person.job(context)
    assert (await person.http.delete(f"/api/v1/contexts/{context}")).status_code == 204
    assert await world.value("SELECT count(*) FROM scheduled_jobs") == 0


async def test_the_tickers_plan_and_the_statistics_stand_in_the_job(person: Person, world: World) -> None:
    job = await person.job(await person.context())
    job_id = UUID(job["id"])
    at = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
    await a_timer(world, job_id, next_run_at=at)
    await world.sql(
        "INSERT INTO job_statistics "
        "(job_id, context_id, run_count, error_count, last_run_status, last_run_at) "
        "SELECT id, context_id, 7, 2, 'error', :at FROM scheduled_jobs WHERE id = :id",
        id=job_id,
        at=at,
    )
    shown = await person.get(f"/jobs/{job_id}")
    assert shown["next_run_at"] == "2030-01-02T03:04:05Z"
    assert (shown["status"], shown["run_count"], shown["error_count"]) == ("error", 7, 2)
    await world.an_occurrence(job_id, state="dispatched")
    assert (await person.get(f"/jobs/{job_id}"))["status"] == "running"


async def test_a_plan_for_an_older_definition_does_not_count(person: Person, world: World) -> None:
    job = await person.job(await person.context())
    await a_timer(world, UUID(job["id"]), error="never due")
    shown = await person.get(f"/jobs/{job['id']}")
    assert (shown["status"], shown["schedule_error"], shown["next_run_at"]) == ("error", "never due", None)
    patched = (await person.http.patch(f"/api/v1/jobs/{job['id']}", json={"max_retries": 1})).json()
    assert (patched["status"], patched["schedule_error"]) == ("active", None)
    assert patched["next_run_at"] == job["next_run_at"]


async def test_all_jobs_come_ordered_by_next_run_in_pages(person: Person, world: World) -> None:
    contexts = [await person.context(), await person.context()]
    expected = []
    for number in (3, 1, 4, 2, 5):
        job = await person.job(contexts[number % 2], name=f"Job {number}")
        if number < 5:
            await a_timer(world, UUID(job["id"]), next_run_at=datetime(2030, 1, number, tzinfo=UTC))
    seen: list[str] = []
    cursor = None
    while True:
        page = await person.get("/jobs", limit=2, **({"cursor": cursor} if cursor else {}))
        seen += [job["name"] for job in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    expected = [f"Job {number}" for number in (1, 2, 3, 4, 5)]
    assert seen == expected


async def test_a_context_may_demand_a_longer_period(person: Person) -> None:
    context = await person.context(min_period_seconds=3600)
    body = {**JOB, "cron_expression": "*/5 * * * *"}
    refused = await person.http.post(f"/api/v1/contexts/{context}/jobs", json=body)
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["field"] == "cron_expression"
    assert "300 s" in refused.json()["detail"]
    await person.job(context, cron_expression="0 * * * *")


async def test_the_ledger_of_a_job_is_shown_newest_first(person: Person, world: World) -> None:
    job = await person.job(await person.context())
    first = await world.an_occurrence(UUID(job["id"]))
    second = await world.an_occurrence(UUID(job["id"]), state="queued")
    page = await person.get(f"/jobs/{job['id']}/occurrences")
    assert [one["run_id"] for one in page["items"]] == [str(second), str(first)]
    assert page["items"][0]["state"] == "queued"


async def test_a_request_survives_nats_being_away(served: Served, person: Person, world: World) -> None:
    job = await person.job(await person.context())
    await served.gateway.bus.close()
    run_id = (await person.post(f"/jobs/{job['id']}/run", status=202))["run_id"]

    async def stored() -> bool:
        return bool(await world.sql("SELECT 1 FROM run_requests WHERE run_id = :id", id=UUID(run_id)))

    assert await eventually(stored)


async def test_the_notebook_of_a_job_is_shown_and_cleared(
    person: Person, other: Person, world: World
) -> None:
    context = await person.context()
    job, another = await person.job(context), await person.job(context, name="Another")
    for one in (job, another):
        await world.sql(
            "INSERT INTO job_notebooks (job_id, key, context_id, value, run_id)"
            " VALUES (:j, 'seen', :c, '42', gen_random_uuid())",
            j=one["id"],
            c=context,
        )
    address = f"/api/v1/jobs/{job['id']}/notebook"
    [note] = (await person.get(f"/jobs/{job['id']}/notebook"))["items"]
    assert (note["key"], note["value"]) == ("seen", "42")
    assert (await other.http.get(address)).status_code == 404
    await other.joins(context, "viewer")
    assert (await other.http.delete(address)).status_code == 403
    # Not even past the code of the gateway.
    async with world.database("gateway").transaction(other.id) as connection:
        await connection.execute("SELECT rota_clear_notebook(:j)", {"j": job["id"]})
    assert len((await person.get(f"/jobs/{job['id']}/notebook"))["items"]) == 1
    assert (await person.http.delete(address)).status_code == 204
    assert (await person.get(f"/jobs/{job['id']}/notebook"))["items"] == []
    assert len((await person.get(f"/jobs/{another['id']}/notebook"))["items"]) == 1
