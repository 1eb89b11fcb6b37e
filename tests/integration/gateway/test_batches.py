"""Many jobs in one call: all of them or none."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from rota_store.database import Connection
from tests.integration.gateway.conftest import JOB, Person
from tests.support.world import World


def many(count: int, **fields: Any) -> list[dict[str, Any]]:
    return [{**JOB, "name": f"Job {number}", **fields} for number in range(count)]


async def test_jobs_are_created_in_order_with_everything_that_they_say(person: Person) -> None:
    context = await person.context()
    await person.post(f"/contexts/{context}/calendars", {"name": "Holidays", "dates": ["2030-01-01"]})
    rich = {
        "timezone": "Europe/Berlin",
        "start_at": "2030-01-01T00:00:00Z",
        "excluded_dates": ["2030-01-02"],
        "calendars": ["Holidays"],
        "max_runs": 3,
        "priority": 2,
        "overlap_policy": "allow",
    }
    tool = {"name": "Tool", "cron_expression": ["@daily", "@every 2d"], "tool": "clock", "arguments": {}}
    definitions = [*many(2, **rich), tool]
    created = await person.post(f"/contexts/{context}/jobs:batch", {"jobs": definitions})
    jobs = [await person.get(f"/jobs/{job_id}") for job_id in created["ids"]]
    assert [job["name"] for job in jobs] == ["Job 0", "Job 1", "Tool"]
    assert {name: jobs[1][name] for name in rich} == rich
    assert jobs[1]["next_run_at"] == "2030-01-03T06:30:00Z"
    alone = await person.job(context, name="Alone", **rich)
    same = set(alone) - {"id", "name", "created_at", "updated_at", "next_effective_at"}
    assert {name: jobs[0][name] for name in same} == {name: alone[name] for name in same}
    assert (jobs[2]["tool"], jobs[2]["cron_expression"]) == ("clock", "@daily; @every 2d")


async def test_one_wrong_definition_keeps_all_out_and_is_named(person: Person, world: World) -> None:
    context = await person.context()
    path = f"/contexts/{context}/jobs:batch"
    jobs = many(5)
    jobs[1]["timeout_seconds"] = 1
    jobs[3]["cron_expression"] = "61 * * * *"
    refused = await person.post(path, {"jobs": jobs}, status=422)
    assert [error["field"] for error in refused["errors"]] == [
        "jobs[1].timeout_seconds",
        "jobs[3].cron_expression",
    ]
    jobs = many(5)
    jobs[2]["cron_expression"] = "@every 5s"
    jobs[3]["calendars"] = ["Nothing"]
    jobs[4]["name"] = "Job 1"
    refused = await person.post(path, {"jobs": jobs}, status=422)
    assert [error["field"] for error in refused["errors"]] == [
        "jobs[2].cron_expression",
        "jobs[3].calendars",
        "jobs[4].name",
    ]
    assert "jobs[1]" in refused["errors"][2]["message"]
    for body, field in (({"jobs": []}, "jobs"), ({"jobs": many(1001)}, "jobs"), ({}, "jobs")):
        refused = await person.post(path, body, status=422)
        assert [error["field"] for error in refused["errors"]] == [field]
    assert await world.value("SELECT count(*) FROM scheduled_jobs") == 0
    await person.job(context, name="Job 4")
    refused = await person.post(path, {"jobs": many(5)}, status=409)
    assert [error["field"] for error in refused["errors"]] == ["jobs[4].name"]
    assert await world.value("SELECT count(*) FROM scheduled_jobs") == 1


async def test_a_batch_takes_as_many_statements_whatever_its_size(
    person: Person, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    for method in (Connection.fetch, Connection.execute):
        monkeypatch.setattr(Connection, method.__name__, _noting(method, asked))

    async def statements(count: int) -> int:
        context = await person.context()
        jobs = [
            {**JOB, "name": f"Job {number}", "cron_expression": f"{number % 60} {number % 24} * * *"}
            for number in range(count)
        ]
        asked.clear()
        await person.post(f"/contexts/{context}/jobs:batch", {"jobs": jobs})
        return len(asked)

    few, most = await statements(2), await statements(1000)
    assert 0 < few <= most < few + 20  # what the gateway does beside it
    assert await world.value("SELECT count(*) FROM scheduled_jobs") == 1002


def _noting(method: Callable[..., Awaitable[Any]], asked: list[str]) -> Callable[..., Awaitable[Any]]:
    async def noting(self: Connection, statement: str, *arguments: Any) -> Any:
        asked.append(statement)
        return await method(self, statement, *arguments)

    return noting


async def test_a_repeated_batch_with_its_key_happens_once(person: Person, world: World) -> None:
    context = await person.context()
    answers = [
        await person.http.post(
            f"/api/v1/contexts/{context}/jobs:batch",
            json={"jobs": many(3)},
            headers={"Idempotency-Key": "once"},
        )
        for _ in range(2)
    ]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json() == answers[1].json()
    assert await world.value("SELECT count(*) FROM scheduled_jobs") == 3
