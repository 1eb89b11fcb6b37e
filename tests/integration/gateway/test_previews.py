"""What a schedule would do, told before there is a job."""

from typing import Any

from tests.integration.gateway.conftest import Person

BERLIN = {"cron_expression": "30 2 * * *", "timezone": "Europe/Berlin"}


async def preview(person: Person, **asked: Any) -> Any:
    return await person.post("/schedules/preview", asked, status=200)


async def test_a_schedule_is_told_in_words_with_its_next_instants(person: Person) -> None:
    told = await preview(
        person, cron_expression="0 9 * * 1-5", timezone="Europe/Berlin", after="2026-12-04T12:00:00Z", count=2
    )
    assert told["description"] == "At 09:00, on Monday through Friday (Europe/Berlin)"
    assert told["next"] == [
        {"utc": "2026-12-07T08:00:00Z", "local": "2026-12-07T09:00:00+01:00", "note": ""},
        {"utc": "2026-12-08T08:00:00Z", "local": "2026-12-08T09:00:00+01:00", "note": ""},
    ]
    assert len((await preview(person, cron_expression="@daily"))["next"]) == 5


async def test_changes_of_the_clock_are_noted_by_the_chosen_rule(person: Person) -> None:
    spring = {**BERLIN, "after": "2027-03-27T12:00:00Z", "count": 1}
    [shifted] = (await preview(person, **spring))["next"]
    assert (shifted["utc"], "runs now instead" in shifted["note"]) == ("2027-03-28T01:00:00Z", True)
    [skipped] = (await preview(person, **spring, dst_gap="skip"))["next"]
    assert (skipped["utc"], "is left out" in skipped["note"]) == ("2027-03-29T00:30:00Z", True)
    autumn = {**BERLIN, "after": "2027-10-30T12:00:00Z", "count": 2, "dst_repeat": "both"}
    assert [one["utc"][:16] for one in (await preview(person, **autumn))["next"]] == [
        "2027-10-31T00:30",
        "2027-10-31T01:30",
    ]


async def test_excluded_dates_are_left_out_and_noted(person: Person) -> None:
    told = await preview(
        person,
        cron_expression="0 9,10 * * *",
        excluded_dates=["2027-01-02", "2027-01-03"],
        after="2027-01-01T09:30:00Z",
        count=2,
    )
    assert [one["utc"] for one in told["next"]] == ["2027-01-01T10:00:00Z", "2027-01-04T09:00:00Z"]
    assert [one["note"] for one in told["next"]] == ["", "4 before this one left out: excluded dates"]
    every_second = {"cron_expression": "* * * * * *", "seconds_field": True, "count": 100}
    told = await preview(person, **every_second, excluded_dates=["2027-01-02"], after="2027-01-01T23:59:58Z")
    assert told["next"][1]["utc"] == "2027-01-03T00:00:00Z"
    assert told["next"][1]["note"].startswith("86400 before")


async def test_a_schedule_that_ends_has_fewer_instants(person: Person) -> None:
    told = await preview(
        person,
        cron_expression="@every 90s",
        start_at="2027-01-01T00:00:00Z",
        end_at="2027-01-01T00:03:00Z",
        after="2026-01-01T00:00:00Z",
        count=100,
    )
    assert [one["utc"][11:19] for one in told["next"]] == ["00:00:00", "00:01:30", "00:03:00"]


async def test_a_preview_that_cannot_be_names_the_field_and_the_reason(person: Person) -> None:
    refused: list[tuple[dict[str, Any], str, str]] = [
        ({}, "cron_expression", "required"),
        ({"cron_expression": "61 * * * *"}, "cron_expression", "minute"),
        ({"cron_expression": "0 0 31 2 *"}, "cron_expression", "never comes"),
        ({"cron_expression": "@at 2020-01-01T00:00"}, "cron_expression", "in the past"),
        ({"cron_expression": "@daily", "timezone": "Mars"}, "timezone", "IANA"),
        ({"cron_expression": "@daily", "count": 0}, "count", "greater"),
        ({"cron_expression": "@daily", "count": 101}, "count", "100"),
        ({"cron_expression": "@daily", "after": "tomorrow"}, "after", "written like"),
        ({"cron_expression": "@daily", "end_at": "2020-01-01T00:00:00Z"}, "end_at", "past"),
        ({"cron_expression": "@daily", "calendars": []}, "calendars", "no such field"),
    ]
    for body, field, words in refused:
        problem = await person.post("/schedules/preview", body, status=422)
        assert [error["field"] for error in problem["errors"]] == [field], body
        assert words in problem["errors"][0]["message"], problem
