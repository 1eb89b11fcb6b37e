"""iCalendar files that mean more work than they look: read within bounds, or refused with a remedy."""

import asyncio
from datetime import UTC, date, datetime, timedelta

import psutil
import pytest

from rota_gateway import calendar_files
from tests.integration.gateway.conftest import Person
from tests.integration.gateway.test_calendars import ics
from tests.support.eventually import eventually

THIS_YEAR = datetime.now(UTC).year
LISTS = ",".join(str(day) for day in range(1, 367))
DAILY = "DTSTART;VALUE=DATE:19700101|RRULE:FREQ=DAILY"
# Looks for the 31st of February until the end of the calendar.
NEVER = "DTSTART;VALUE=DATE:19700101|RRULE:FREQ=DAILY;BYMONTH=2;BYMONTHDAY=31"
LONG_LISTS = f"DTSTART;VALUE=DATE:19700101|RRULE:FREQ=YEARLY;BYYEARDAY={','.join([LISTS] * 100)}"
# Each of a year's days is looked for in a list of all of them, for each of its places.
POSITIONS = "DTSTART;VALUE=DATE:19700101|RRULE:FREQ=YEARLY;BYDAY=MO,TU,WE,TH,FR,SA,SU;BYSETPOS=" + ",".join(
    [LISTS] * 200
)


def rdates(count: int, per_line: int) -> str:
    days = [f"{date(THIS_YEAR, 1, 1) + timedelta(days=number % 1000):%Y%m%d}" for number in range(count)]
    lines = [",".join(days[at : at + per_line]) for at in range(0, count, per_line)]
    return "|".join(["DTSTART;VALUE=DATE:20200101", *(f"RDATE;VALUE=DATE:{line}" for line in lines)])


async def readers() -> list[psutil.Process]:
    return [
        child
        for child in psutil.Process().children()
        if child.status() != psutil.STATUS_ZOMBIE and "rota_gateway.ics_process" in child.cmdline()
    ]


@pytest.mark.parametrize(
    ("text", "days"),
    [
        (ics(DAILY), 365 * 6 + 1),
        (ics(LONG_LISTS), 365 * 6 + 1),
        (ics(rdates(50_000, 5_000)), 1000),
        (ics(rdates(20_000, 10)), 1000),
        (ics(*["DTSTART;VALUE=DATE:20301224"] * 8_000), 1),
    ],
    ids=["a day since 1970", "long lists", "a long RDATE", "many RDATEs", "many events"],
)
async def test_a_large_file_of_sense_is_read(person: Person, text: str, days: int) -> None:
    made = await person.post(f"/contexts/{await person.context()}/calendars", {"name": "Large", "ics": text})
    assert days <= len(made["dates"]) <= days + 1


@pytest.mark.parametrize(
    "text",
    [ics(*[NEVER] * 150), ics(POSITIONS), ics(*[POSITIONS] * 3)],
    ids=["what never comes", "a place in a long list", "several of them"],
)
async def test_a_file_that_takes_too_long_is_refused_and_its_reader_ends(
    person: Person, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setattr(calendar_files, "READ_SECONDS", 3.0)
    problem = await person.post(
        f"/contexts/{await person.context()}/calendars", {"name": "Slow", "ics": text}, status=422
    )
    [error] = problem["errors"]
    assert error["field"] == "ics"
    assert error["message"].startswith("takes longer than 3 s to read")
    assert "give the days themselves as dates" in error["message"]
    assert await readers() == []


async def test_a_file_that_takes_too_much_memory_is_refused(
    person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if it did: the reader is ended from outside, as the system ends what takes too much."""
    context = await person.context()

    async def killed() -> None:
        for reader in await eventually(readers, what="a reader"):
            reader.kill()

    killing = asyncio.create_task(killed())
    problem = await person.post(
        f"/contexts/{context}/calendars", {"name": "Big", "ics": ics(POSITIONS)}, status=422
    )
    await killing
    assert problem["errors"][0]["message"].startswith("takes too much memory")


async def test_others_are_served_while_files_are_read_and_a_third_file_is_asked_to_wait(
    person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calendar_files, "READ_SECONDS", 4.0)
    context = await person.context()
    path = f"/api/v1/contexts/{context}/calendars"
    slow = [
        asyncio.create_task(person.http.post(path, json={"name": f"Slow {number}", "ics": ics(POSITIONS)}))
        for number in range(2)
    ]

    async def both() -> bool:
        return len(await readers()) == 2

    await eventually(both, what="two readers")
    third = await person.http.post(path, json={"name": "Third", "ics": ics(DAILY)})
    assert (third.status_code, third.headers["retry-after"]) == (429, "5")
    assert (await person.get(f"/contexts/{context}"))["name"]
    assert not any(task.done() for task in slow)
    assert [response.status_code for response in await asyncio.gather(*slow)] == [422, 422]
    assert (await person.http.post(path, json={"name": "Third", "ics": ics(DAILY)})).status_code == 201
