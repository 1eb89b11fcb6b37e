"""The ledger as it is read: pages, why, and whether it is complete. The rows are written by a real ticker."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from rota_contracts.ids import run_id_for
from rota_ticker.handlers import Ticker
from tests.integration.gateway.conftest import Person, a_timer
from tests.support.ticking import a_ticker
from tests.support.world import World

DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)
EVERY_MINUTE = {"cron_expression": "* * * * *"}


def now() -> datetime:
    return datetime.now(UTC)


def this_minute() -> datetime:
    return now().replace(second=0, microsecond=0)


def text(instant: datetime) -> str:
    return instant.isoformat().replace("+00:00", "Z")


@pytest.fixture
async def ticker(world: World) -> Ticker:
    return await a_ticker(world)


async def aged(world: World, job: dict[str, Any], age: timedelta) -> datetime:
    """Makes the job, with all that it was, older; its creation."""
    await world.sql("ALTER TABLE scheduled_jobs DISABLE TRIGGER touch")
    await world.sql(
        "UPDATE scheduled_jobs SET created_at = created_at - CAST(:age AS interval), "
        "updated_at = updated_at - CAST(:age AS interval), "
        "schedule_since = schedule_since - CAST(:age AS interval) WHERE id = :id",
        age=age,
        id=UUID(job["id"]),
    )
    await world.sql("ALTER TABLE scheduled_jobs ENABLE TRIGGER touch")
    created: datetime = await world.value(
        "SELECT created_at FROM scheduled_jobs WHERE id = :id", id=UUID(job["id"])
    )
    return created


async def fired(ticker: Ticker) -> None:
    """Plans and accounts for everything until now."""
    while await ticker.plan() + await ticker.fire():
        pass


async def test_the_ledger_comes_by_instant_and_filtered(person: Person, world: World) -> None:
    job = await person.job(await person.context())
    job_id, base = UUID(job["id"]), datetime(2026, 11, 1, tzinfo=UTC)
    closed = {
        "state": "closed",
        "disposition": "suppressed",
        "closed_at": now(),
        "reason": "the job was paused",
    }
    late = await world.an_occurrence(job_id, scheduled_for=base + 3 * DAY, trigger="schedule")
    early = await world.an_occurrence(job_id, scheduled_for=base, trigger="backfill", state="queued")
    middle = await world.an_occurrence(
        job_id,
        **closed,
        trigger="schedule",
        reason_code="paused",
        scheduled_for=base + DAY,
        last_instant=base + 2 * DAY,
        instants=25,
    )
    path = f"/jobs/{job['id']}/occurrences"

    async def ids(**query: Any) -> list[str]:
        return [one["run_id"] for one in (await person.get(path, **query))["items"]]

    assert await ids() == [str(late), str(middle), str(early)]
    assert await ids(trigger="schedule") == [str(late), str(middle)]
    assert await ids(disposition="suppressed") == [str(middle)]
    assert await ids(**{"from": text(base + 2 * DAY)}) == [str(late), str(middle)]
    assert await ids(until=text(base + DAY)) == [str(middle), str(early)]
    first = await person.get(path, limit=2)
    assert await ids(limit=2, cursor=first["next_cursor"]) == [str(early)]
    row = first["items"][1]
    assert (row["reason_code"], row["instants"], row["last_instant"]) == ("paused", 25, text(base + 2 * DAY))
    for query, field in (
        ({"disposition": "lost"}, "disposition"),
        ({"trigger": "cron"}, "trigger"),
        ({"from": "monday"}, "from"),
        ({"until": "2026-01-01"}, "until"),
    ):
        refused = await person.http.get(f"/api/v1{path}", params=query)
        assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, field)


async def test_what_has_a_running_attempt_is_running(person: Person, world: World) -> None:
    job = await person.job(await person.context())
    run_id = await world.an_occurrence(UUID(job["id"]))
    path = f"/jobs/{job['id']}/occurrences"
    assert (await person.get(path))["items"][0]["state"] == "dispatched"
    await world.sql(
        "INSERT INTO run_attempts "
        "(run_id, attempt, context_id, job_id, executor, state, session_id) "
        "SELECT run_id, 1, context_id, job_id, 'e', 'running', gen_random_uuid() FROM occurrences"
    )
    assert (await person.get(path))["items"][0]["state"] == "running"
    assert (await person.get(f"/runs/{run_id}"))["state"] == "running"


async def test_why_is_answered_from_the_rows_of_the_ledger(
    person: Person, world: World, ticker: Ticker
) -> None:
    job = await person.job(await person.context(), **EVERY_MINUTE, catch_up_window_seconds=600)
    await aged(world, job, 2 * DAY)
    await fired(ticker)
    path, minute = f"/jobs/{job['id']}/why", this_minute()
    latest = await person.get(path)
    assert latest["instant"] == text(minute)
    assert latest["occurrence"]["run_id"] == str(run_id_for(UUID(job["id"]), minute))
    assert "is dispatched" in latest["answer"]
    coalesced = await person.get(path, at=text(minute - 5 * MINUTE))
    assert "coalesced" in coalesced["answer"]
    assert str(run_id_for(UUID(job["id"]), minute)) in coalesced["answer"]
    missed = await person.get(path, at=text(minute - DAY))
    assert missed["answer"].startswith("It did not run (missed): it is older than the catch-up window")
    assert "like all" in missed["answer"]
    assert missed["occurrence"]["disposition"] == "missed"
    between = await person.get(path, at=text(minute - DAY + MINUTE / 2))
    assert "Nothing was due then" in between["answer"]
    assert text(minute - DAY)[:10] in between["answer"]
    assert between["occurrence"] is None
    before = await person.get(path, at=text(minute - 3 * DAY))
    assert "There was no job yet" in before["answer"]


async def test_why_is_answered_where_the_ledger_has_no_row(
    person: Person, world: World, ticker: Ticker
) -> None:
    job = await person.job(
        await person.context(), cron_expression="0 9 * * *", excluded_dates=["2030-01-01"], jitter_seconds=60
    )
    path = f"/jobs/{job['id']}/why"

    async def why(at: str) -> str:
        return str((await person.get(path, at=at))["answer"])

    assert "It is still to come" in await why("2030-01-02T09:00:00Z")
    assert "leaves this date out" in await why("2030-01-01T09:00:00Z")
    rare = await why("2030-01-02T10:00:00Z")
    assert "Nothing is due then" in rare
    assert "the last before is 2030-01-02 09:00:00 UTC, the next after is 2030-01-03 09:00:00 UTC" in rare
    await person.post(f"/jobs/{job['id']}/skip-next", status=200)
    skipped = (await person.get(f"/jobs/{job['id']}"))["excluded_instants"][0]
    assert "skipped on purpose" in await why(skipped)
    await person.post(f"/jobs/{job['id']}/toggle", {"reason": "noisy"}, status=200)
    assert "the job was paused (noisy)" in await why("2030-01-02T09:00:00Z")
    await person.post(f"/jobs/{job['id']}/toggle", status=200)
    await a_timer(world, UUID(job["id"]), paused_at=now(), pause_reason="paused after 3 failures in a row")
    assert "after 3 failures" in await why("2030-01-02T09:00:00Z")


async def test_why_without_an_instant_is_about_the_run_that_was_asked_for_where_nothing_was_due_yet(
    person: Person, ticker: Ticker
) -> None:
    job = await person.job(await person.context(), cron_expression="0 9 1 1 *", max_runs=1)
    await ticker.plan()
    run = await person.post(f"/jobs/{job['id']}/run", status=202)
    await ticker.look()
    await ticker.take_requests()
    told = await person.get(f"/jobs/{job['id']}/why")
    assert told["occurrence"]["run_id"] == run["run_id"]
    assert told["answer"].startswith("A run that was asked for is dispatched")


async def test_why_speaks_of_what_comes_after_the_last_run_as_to_come(person: Person, world: World) -> None:
    job = await person.job(await person.context(), cron_expression="0 9 1 1 *", max_runs=1)
    await a_timer(world, UUID(job["id"]), runs=1)
    told = await person.get(f"/jobs/{job['id']}/why", at="2040-01-01T09:00:00Z")
    assert told["answer"] == "It will not run: the job has had all its 1 runs (max_runs)."


async def test_why_goes_by_the_definition_of_that_time(person: Person, world: World, ticker: Ticker) -> None:
    job = await person.job(await person.context(), **EVERY_MINUTE)
    created = await aged(world, job, DAY)
    await person.http.patch(f"/api/v1/jobs/{job['id']}", json={"cron_expression": "0 9 * * *"})
    minute = (created + timedelta(hours=2)).replace(second=0, microsecond=0)
    due = await person.get(f"/jobs/{job['id']}/why", at=text(minute + MINUTE))
    assert "the ticker has not looked at this job yet" in due["answer"]
    other = await person.get(f"/jobs/{job['id']}/why", at=text(minute + MINUTE / 2))
    assert "as the job was defined then (Every minute" in other["answer"]
    await world.sql("UPDATE scheduled_jobs SET max_runs = 1")
    await a_timer(world, UUID(job["id"]), runs=1)
    done = await person.get(f"/jobs/{job['id']}/why", at="2030-01-01T09:00:00Z")
    assert "all its 1 runs" in done["answer"]


async def test_the_doctor_finds_nothing_where_a_ticker_was_at_work(
    person: Person, world: World, ticker: Ticker
) -> None:
    """Downtime, a pause and its end, a change, an exclusion, a last run, more than the ledger keeps."""
    context = await person.context(min_period_seconds=1)
    paused = await person.job(context, name="Paused", **EVERY_MINUTE)
    changed = await person.job(
        context, name="Changed", cron_expression="*/10 * * * * *", seconds_field=True, excluded_dates=[]
    )
    ended = await person.job(context, name="Ended", **EVERY_MINUTE, max_runs=1, catch_up_policy="all")
    excluded = await person.job(
        context, name="Excluded", **EVERY_MINUTE, excluded_dates=[text(now() - DAY)[:10]]
    )
    await aged(world, excluded, 70 * DAY)
    await aged(world, ended, timedelta(hours=1))
    await person.post(f"/jobs/{paused['id']}/toggle", status=200)
    await ticker.plan()
    await person.post(f"/jobs/{paused['id']}/toggle", status=200)
    await person.http.patch(f"/api/v1/jobs/{changed['id']}", json={"cron_expression": "*/7 * * * *"})
    await ticker.plan()
    await fired(ticker)
    report = await person.get("/doctor", context_id=context)
    assert (report["jobs_checked"], report["differences"]) == (4, [])
    assert report["instants_expected"] >= 70 * 24 * 60
    assert abs(report["instants_expected"] - report["instants_accounted"]) <= 2
    assert (report["behind"], report["unplanned"]) == ([], [])
    assert (await person.get(f"/jobs/{ended['id']}"))["next_run_at"] is None


async def test_the_doctor_names_what_is_missing_and_what_is_too_much(
    person: Person, other: Person, world: World, ticker: Ticker
) -> None:
    context = await person.context()
    jobs = [await person.job(context, name=f"Job {number}", **EVERY_MINUTE) for number in range(3)]
    created = await aged(world, jobs[0], DAY)
    await aged(world, jobs[2], DAY)
    await fired(ticker)
    await world.sql(
        "DELETE FROM occurrences WHERE job_id = :id AND disposition = 'missed'", id=UUID(jobs[0]["id"])
    )
    for job in jobs[1:]:
        at = created + timedelta(hours=5)
        await world.an_occurrence(UUID(job["id"]), trigger="schedule", scheduled_for=at, run_id=uuid4())
    report = await person.get("/doctor")
    missing, early, surplus = sorted(report["differences"], key=lambda one: str(one["name"]))
    assert (missing["name"], missing["from"]) == ("Job 0", text(created))
    assert abs(missing["expected"] - missing["accounted"] - (24 - 1) * 60) <= 1
    assert "in no row of the ledger" in missing["note"]
    assert (early["name"], early["expected"], early["accounted"]) == ("Job 1", 0, 1)
    assert "before the job was created" in early["note"]
    assert (surplus["name"], surplus["accounted"] - surplus["expected"]) == ("Job 2", 1)
    assert "1 more in the ledger" in surplus["note"]
    assert report["instants_accounted"] < report["instants_expected"]
    assert (await other.get("/doctor"))["jobs_checked"] == 0
    assert (await other.http.get(f"/api/v1/doctor?context_id={context}")).status_code == 404
    assert (await other.http.get(f"/api/v1/jobs/{jobs[0]['id']}/why")).status_code == 404


async def test_the_doctor_names_what_the_ticker_leaves_behind(person: Person, world: World) -> None:
    context = await person.context()
    late, broken, new = [await person.job(context, name=name) for name in ("Late", "Broken", "New")]
    await a_timer(world, UUID(late["id"]), wake_at=now() - timedelta(minutes=2))
    await a_timer(world, UUID(broken["id"]), error="cron_expression: never comes")
    report = await person.get("/doctor", context_id=context)
    assert [one["job_id"] for one in report["behind"]] == [late["id"]]
    assert [(one["name"], one["reason"]) for one in report["unplanned"]] == [
        ("Broken", "cron_expression: never comes")
    ]
    await world.sql("ALTER TABLE scheduled_jobs DISABLE TRIGGER touch")
    await world.sql("UPDATE scheduled_jobs SET updated_at = updated_at - interval '2 minutes'")
    report = await person.get("/doctor", context_id=context)
    assert {one["name"] for one in report["unplanned"]} == {"Broken", new["name"]}


async def test_why_says_how_far_back_the_ledger_goes_and_what_is_missing_in_it(
    person: Person, world: World
) -> None:
    job = await person.job(await person.context(), **EVERY_MINUTE)
    await aged(world, job, 200 * DAY)
    path, minute = f"/jobs/{job['id']}/why", this_minute()
    assert "the ledger goes back to" in (await person.get(path, at=text(minute - 150 * DAY)))["answer"]
    await a_timer(world, UUID(job["id"]), accounted_until=minute - 2 * MINUTE)
    assert "'rota doctor'" in (await person.get(path, at=text(minute - 3 * MINUTE)))["answer"]
    late = await person.get(path)
    assert late["instant"] == text(this_minute())
    assert "the ticker has come to" in late["answer"]


async def test_a_run_and_its_backfill_are_both_told(person: Person, world: World) -> None:
    job = await person.job(await person.context(), **EVERY_MINUTE)
    at = this_minute() - 5 * MINUTE
    done: dict[str, Any] = {"state": "closed", "closed_at": now(), "scheduled_for": at, "trigger": "schedule"}
    await world.an_occurrence(
        UUID(job["id"]), **done, disposition="missed", reason="nobody was there", reason_code="catch_up_off"
    )
    late = {**done, "trigger": "backfill", "disposition": "ran", "reason": "success"}
    await world.an_occurrence(UUID(job["id"]), **late, started_at=now(), attempt=2, stands_for=3)
    told = await person.get(f"/jobs/{job['id']}/why", at=text(at))
    assert told["occurrence"]["trigger"] == "schedule"
    assert told["answer"].startswith("It did not run (missed): nobody was there. A backfill of it ran at ")
    assert told["answer"].endswith("2 attempts, for 3 instants: success.")
