"""What people make exceptions of over HTTP, as a real ticker then enters it, and as it is told."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from rota_ticker.handlers import Ticker
from tests.integration.gateway.conftest import JOB, Person
from tests.integration.gateway.test_ledger import DAY, aged, fired, now, text
from tests.support.eventually import eventually
from tests.support.ticking import a_ticker, ledger
from tests.support.world import World

SECOND = timedelta(seconds=1)
EVERY_SECOND = {
    "cron_expression": "* * * * * *",
    "seconds_field": True,
    "overlap_policy": "allow",
    "catch_up_policy": "all",
}


@pytest.fixture
async def ticker(world: World) -> Ticker:
    return await a_ticker(world)


async def entered_until(world: World, ticker: Ticker, job: str, instant: datetime) -> list[Any]:
    """The ledger of the job, when it says something about that instant."""

    async def has_come() -> bool:
        await fired(ticker)
        return bool(await ledger(world, job_id=UUID(job), scheduled_for=instant))

    await eventually(has_come, what=f"the row of {instant}", every=0.2)
    return await ledger(world, job_id=UUID(job))


async def test_a_day_of_a_calendar_is_left_out_until_the_calendar_changes(
    person: Person, world: World, ticker: Ticker
) -> None:
    context, yesterday = await person.context(), (now() - DAY).date()
    calendar = await person.post(
        f"/contexts/{context}/calendars", {"name": "Feast", "dates": [str(yesterday)]}
    )
    job = await person.job(
        context, cron_expression="0 */6 * * *", calendars=["Feast"], catch_up_policy="skip"
    )
    await aged(world, job, 3 * DAY)
    await fired(ticker)
    [row] = [row for row in await ledger(world) if row.disposition == "suppressed"]
    assert (row.scheduled_for.date(), row.last_instant.date(), row.instants) == (yesterday, yesterday, 4)
    told = await person.get(f"/jobs/{job['id']}/why", at=f"{yesterday}T12:00:00Z")
    assert told["answer"].startswith("It did not run (suppressed): the job leaves this time out, like all 4")
    tomorrow = str((now() + DAY).date())
    changed = await person.http.patch(f"/api/v1/calendars/{calendar['id']}", json={"dates": [tomorrow]})
    assert changed.status_code == 200
    await fired(ticker)
    timer = await world.value("SELECT next_run_at FROM job_timers")
    assert str(timer.date()) != tomorrow
    coming = await person.get(f"/jobs/{job['id']}/why", at=f"{tomorrow}T12:00:00Z")
    assert coming["answer"] == "It will not run: a calendar of the job leaves this date out."
    assert [one for one in (await person.get("/doctor"))["differences"] if one] == []


async def test_the_next_one_is_skipped_and_the_one_after_it_runs(
    person: Person, world: World, ticker: Ticker
) -> None:
    job = await person.job(await person.context(min_period_seconds=1), **EVERY_SECOND)
    await fired(ticker)
    answer = await person.post(f"/jobs/{job['id']}/skip-next", status=200)
    skipped = datetime.fromisoformat(answer["excluded_instants"][0])
    rows = await entered_until(world, ticker, job["id"], skipped + SECOND)
    told = {row.scheduled_for: (row.disposition, row.reason_code) for row in rows}
    assert told[skipped] == ("suppressed", "excluded")
    assert told[skipped + SECOND] == (None, None)
    why = await person.get(f"/jobs/{job['id']}/why", at=text(skipped))
    assert why["answer"] == "It did not run (suppressed): the job leaves this time out."
    assert (await person.get("/doctor"))["differences"] == []


async def test_a_job_that_is_paused_until_an_instant_runs_at_it_and_not_before(
    person: Person, world: World, ticker: Ticker
) -> None:
    job = await person.job(await person.context(min_period_seconds=1), **EVERY_SECOND)
    await fired(ticker)
    until = now().replace(microsecond=0) + 3 * SECOND
    answer = await person.http.patch(f"/api/v1/jobs/{job['id']}", json={"paused_until": text(until)})
    assert (answer.json()["status"], answer.json()["next_run_at"]) == ("paused", text(until))
    rows = await entered_until(world, ticker, job["id"], until)
    paused = [row for row in rows if row.disposition == "suppressed"]
    assert {row.reason_code for row in paused} == {"paused"}
    assert paused[-1].last_instant == until - SECOND
    assert sum(row.instants for row in paused) >= 2
    assert rows[-1].disposition is None
    assert (await person.get(f"/jobs/{job['id']}"))["status"] != "paused"
    assert (await person.get("/doctor"))["differences"] == []


async def test_a_one_off_that_has_run_is_due_no_more_and_says_so(
    person: Person, world: World, ticker: Ticker
) -> None:
    at = now().replace(microsecond=0) + 2 * SECOND
    job = await person.job(await person.context(), cron_expression=f"@at {at:%Y-%m-%dT%H:%M:%S}")
    assert job["next_run_at"] == text(at)
    await entered_until(world, ticker, job["id"], at)
    done = await person.get(f"/jobs/{job['id']}")
    assert (done["next_run_at"], done["next_effective_at"], done["schedule_error"]) == (None, None, None)
    later = await person.get(f"/jobs/{job['id']}/why", at=text(at + DAY))
    assert "Nothing is due then" in later["answer"]
    assert later["answer"].endswith(f"the last before is {at:%Y-%m-%d %H:%M:%S} UTC, there is none after.")
    assert (await person.get("/doctor"))["differences"] == []


async def test_what_was_asked_for_at_the_end_of_one_pause_does_not_hold_for_the_next(
    person: Person, world: World, ticker: Ticker
) -> None:
    """Enabled with `all` once; a later pause, until an instant and then lifted, is not made up for."""
    job = await person.job(await person.context(), cron_expression="* * * * *", catch_up_policy="all")
    path = f"/jobs/{job['id']}"
    for pause in ({"is_enabled": False}, {"paused_until": text(now() + DAY)}):
        await person.post(f"{path}/toggle", {"is_enabled": False}, status=200)
        await person.post(f"{path}/toggle", {"is_enabled": True, "catch_up": "all"}, status=200)
        assert await world.value("SELECT resume_catch_up FROM scheduled_jobs") == "all"
        answer = await person.http.patch(f"/api/v1{path}", json=pause)
        assert answer.json()["status"] == "paused"
        assert await world.value("SELECT resume_catch_up FROM scheduled_jobs") == "none"
    await aged(world, job, timedelta(minutes=30))
    await world.sql(
        "UPDATE job_revisions SET valid_from = valid_from - interval '30 min',"
        " valid_until = valid_until - interval '30 min'"
    )
    await person.http.patch(f"/api/v1{path}", json={"paused_until": None})
    await fired(ticker)
    entered = await ledger(world)
    assert {row.disposition for row in entered if row.scheduled_for < now() - timedelta(minutes=1)} == {
        "suppressed"
    }
    assert sum(row.instants for row in entered) >= 29


async def test_a_job_that_the_ticker_paused_by_a_clock_ahead_can_be_enabled(
    person: Person, world: World, ticker: Ticker
) -> None:
    """The clock was set back by an hour since."""
    job = await person.job(await person.context(), cron_expression="0 0 1 1 *")
    await fired(ticker)
    await world.sql(
        "UPDATE job_timers SET paused_at = now() + interval '1 hour', next_run_at = NULL, wake_at = NULL"
    )
    assert (await person.get(f"/jobs/{job['id']}"))["status"] == "paused"
    enabled = await person.post(f"/jobs/{job['id']}/toggle", status=200)
    assert (enabled["status"], enabled["next_run_at"]) == ("active", job["next_run_at"])
    await fired(ticker)
    assert await world.value("SELECT paused_at IS NULL AND next_run_at IS NOT NULL FROM job_timers")


async def test_a_job_of_which_nothing_is_left_is_refused(person: Person) -> None:
    context = await person.context()
    await person.post(f"/contexts/{context}/calendars", {"name": "off", "dates": ["2027-02-01"]})
    once = {**JOB, "cron_expression": "@at 2027-02-01T09:00"}
    for field, value in (("excluded_dates", ["2027-02-01"]), ("calendars", ["off"])):
        problem = await person.post(f"/contexts/{context}/jobs", {**once, field: value}, status=422)
        assert [error["field"] for error in problem["errors"]] == [field]
        assert "nothing is left to run" in problem["errors"][0]["message"]
    job = await person.job(
        context, **{**once, "cron_expression": "@at 2027-02-02T09:00", "calendars": ["off"]}
    )
    changed = await person.http.patch(f"/api/v1/jobs/{job['id']}", json={"excluded_dates": ["2027-02-02"]})
    assert changed.status_code == 422
    # Of a job that is over, what it does not touch may still change.
    assert (await person.http.patch(f"/api/v1/jobs/{job['id']}", json={"name": "Once"})).status_code == 200
