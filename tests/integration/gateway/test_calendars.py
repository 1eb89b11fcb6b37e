"""Days of a context on which jobs do not run, and the jobs that follow them."""

import asyncio
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

from tests.integration.gateway.conftest import Person
from tests.support.world import World

DAILY = {"cron_expression": "0 9 * * *", "start_at": "2030-01-01T00:00:00Z", "calendars": ["Holidays"]}


def ics(*events: str) -> str:
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Test//EN"]
    for number, event in enumerate(events):
        lines += [
            "BEGIN:VEVENT",
            f"UID:{number}",
            "DTSTAMP:20260101T000000Z",
            *event.split("|"),
            "END:VEVENT",
        ]
    return "\r\n".join([*lines, "END:VCALENDAR", ""])


async def holidays(person: Person, context: str, *dates: str, name: str = "Holidays") -> Any:
    return await person.post(f"/contexts/{context}/calendars", {"name": name, "dates": list(dates)})


async def test_a_calendar_is_made_of_dates_each_once_and_in_order(person: Person) -> None:
    context = await person.context()
    made = await holidays(person, context, "2030-12-25", "2030-01-01", "2030-12-25", name="  Holidays ")
    assert (made["name"], made["dates"], made["job_count"]) == ("Holidays", ["2030-01-01", "2030-12-25"], 0)
    assert await person.get(f"/calendars/{made['id']}") == made
    assert (await person.get(f"/contexts/{context}/calendars"))["items"] == [made]
    again = await person.post(f"/contexts/{context}/calendars", {"name": "Holidays", "dates": []}, status=409)
    assert again["errors"][0]["field"] == "name"
    await holidays(person, await person.context())


async def test_an_icalendar_file_becomes_the_days_that_its_events_touch(person: Person) -> None:
    this_year = datetime.now(UTC).year
    text = ics(
        "DTSTART;VALUE=DATE:20301224|DTEND;VALUE=DATE:20301227",
        "DTSTART:20310105T220000Z|DTEND:20310107T000000Z",
        "DTSTART;VALUE=DATE:20310201",
        "DTSTART;VALUE=DATE:20200501|DTEND;VALUE=DATE:20200502|RRULE:FREQ=YEARLY",
    )
    made = await person.post(f"/contexts/{await person.context()}/calendars", {"name": "Mine", "ics": text})
    single = ["2030-12-24", "2030-12-25", "2030-12-26", "2031-01-05", "2031-01-06", "2031-02-01"]
    mays = [f"{year}-05-01" for year in range(this_year, this_year + 6)]
    assert made["dates"] == sorted([*single, *mays])


async def test_a_calendar_that_cannot_be_names_the_field_and_the_reason(person: Person) -> None:
    context = await person.context()
    refused: list[tuple[dict[str, Any], str, str]] = [
        ({}, "dates", "iCalendar"),
        ({"name": ""}, "name", "1 character"),
        ({"dates": ["2030-02-30"]}, "dates[0]", "day"),
        ({"dates": [f"2030-01-{1 + number % 28:02}" for number in range(5001)]}, "dates", "5000"),
        ({"dates": "2030-01-01"}, "dates", "list"),
        ({"dates": [], "ics": ics("DTSTART;VALUE=DATE:20301224")}, "ics", "one of the two"),
        ({"ics": "hello"}, "ics", "no iCalendar file"),
        ({"ics": ics()}, "ics", "no event"),
        ({"ics": ics("SUMMARY:When?")}, "ics", "usable time"),
        ({"ics": ics("DTSTART:20301224T000000Z|RRULE:FREQ=MINUTELY")}, "ics", "within a day"),
        ({"ics": ics("DTSTART:20301224T000000Z|RRULE:FREQ=DAILY;BYHOUR=1,2")}, "ics", "within a day"),
        ({"ics": ics("DTSTART:20301224T000000Z|RRULE:FREQ=DAILY;INTERVAL=0")}, "ics", "interval"),
        ({"ics": ics("DTSTART;VALUE=DATE:20301224|DTEND;VALUE=DATE:99991231")}, "ics", "5000 days"),
        ({"ics": ics(*["DTSTART;VALUE=DATE:20200101|RRULE:FREQ=DAILY"] * 201)}, "ics", "201 repeated"),
        ({"ics": "x" * 1_000_001}, "ics", "1000000"),
        ({"days": []}, "days", "no such field"),
    ]
    for body, field, words in refused:
        problem = await person.post(f"/contexts/{context}/calendars", {"name": "Mine", **body}, status=422)
        assert [error["field"] for error in problem["errors"]] == [field], problem
        assert words in problem["errors"][0]["message"], problem
    assert (await person.get(f"/contexts/{context}/calendars"))["items"] == []


async def test_a_job_follows_the_calendars_that_it_names(person: Person, world: World) -> None:
    context = await person.context()
    calendar = await holidays(person, context, "2030-01-01", "2030-01-02")
    await holidays(person, context, "2030-01-03", "2030-01-01", name="More")
    job = await person.job(context, **DAILY)
    assert job["next_run_at"] == "2030-01-03T09:00:00Z"
    both = await person.http.patch(f"/api/v1/jobs/{job['id']}", json={"calendars": ["Holidays", "More"]})
    assert both.json()["next_run_at"] == "2030-01-04T09:00:00Z"
    path = f"/api/v1/calendars/{calendar['id']}"
    changed = await person.http.patch(path, json={"name": "Feiertage", "dates": ["2030-01-04"]})
    assert (changed.json()["dates"], changed.json()["job_count"]) == (["2030-01-04"], 1)
    shown = await person.get(f"/jobs/{job['id']}")
    assert (shown["calendars"], shown["next_run_at"]) == (["Feiertage", "More"], "2030-01-02T09:00:00Z")
    stored = await world.value("SELECT calendar_dates FROM scheduled_jobs")
    assert stored == [date(2030, 1, 1), date(2030, 1, 3), date(2030, 1, 4)]
    generation = await world.value("SELECT generation FROM scheduled_jobs")
    for nothing in ({}, {"name": "Feiertage"}, {"dates": ["2030-01-04"]}):
        assert (await person.http.patch(path, json=nothing)).status_code == 200
    assert await world.value("SELECT generation FROM scheduled_jobs") == generation
    taken = await person.http.patch(path, json={"name": "More"})
    assert (taken.status_code, taken.json()["errors"][0]["field"]) == (409, "name")


async def test_a_calendar_that_jobs_name_is_not_deleted(person: Person) -> None:
    context = await person.context()
    calendar = await holidays(person, context, "2030-01-01")
    job = await person.job(context, **DAILY)
    refused = await person.http.delete(f"/api/v1/calendars/{calendar['id']}")
    assert (refused.status_code, "'Morning briefing'" in refused.json()["detail"]) == (409, True)
    await person.http.patch(f"/api/v1/jobs/{job['id']}", json={"calendars": []})
    assert (await person.http.delete(f"/api/v1/calendars/{calendar['id']}")).status_code == 204
    assert (await person.http.get(f"/api/v1/calendars/{calendar['id']}")).status_code == 404


async def test_a_calendar_of_another_context_is_none_of_a_jobs(person: Person) -> None:
    await holidays(person, await person.context(), "2030-01-01")
    refused = await person.post(
        f"/contexts/{await person.context()}/jobs", {"name": "x", "skill_prompt": "y", **DAILY}, status=422
    )
    assert refused["errors"][0]["field"] == "calendars"


async def test_calendars_belong_to_their_tenant(person: Person, other: Person, world: World) -> None:
    context = await person.context()
    calendar = await holidays(person, context, "2030-01-01")
    paths = (f"/contexts/{context}/calendars", f"/calendars/{calendar['id']}")
    requests: list[tuple[str, str, Any]] = [
        ("GET", paths[0], None),
        ("POST", paths[0], {"name": "x", "dates": []}),
        ("GET", paths[1], None),
        ("PATCH", paths[1], {"dates": []}),
        ("DELETE", paths[1], None),
    ]
    for method, path, body in requests:
        assert (await other.http.request(method, f"/api/v1{path}", json=body)).status_code == 404
    await other.joins(context, "viewer")
    for method, path, body in requests:
        wanted = 200 if method == "GET" else 403
        assert (await other.http.request(method, f"/api/v1{path}", json=body)).status_code == wanted
    assert await world.value("SELECT count(*) FROM calendars WHERE id = :id", id=UUID(calendar["id"])) == 1


async def test_a_calendar_and_its_jobs_change_at_once_and_agree(person: Person, world: World) -> None:
    context = await person.context()
    calendar = await holidays(person, context, "2030-01-01")
    jobs = [await person.job(context, **DAILY, name=f"Job {number}") for number in range(4)]

    async def change(number: int) -> int:
        job = jobs[number % 4]
        if number % 3 == 0:
            days = {"dates": [f"2030-01-{1 + number:02}"]}
            return (await person.http.patch(f"/api/v1/calendars/{calendar['id']}", json=days)).status_code
        names = {"calendars": ["Holidays"] if number % 2 else [], "priority": 1 + number % 9}
        return (await person.http.patch(f"/api/v1/jobs/{job['id']}", json=names)).status_code

    assert set(await asyncio.gather(*(change(number) for number in range(24)))) == {200}
    dates = await world.value("SELECT dates FROM calendars")
    stored = await world.sql("SELECT calendars, calendar_dates FROM scheduled_jobs")
    assert all(days == (dates if names else []) for names, days in stored)
