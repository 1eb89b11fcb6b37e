"""Who may follow a run, and what is told of one whose traces are partly gone."""

import asyncio
import json
from typing import Any
from uuid import UUID, uuid4

from rota_contracts.events import RunProgress
from rota_contracts.transcript import Entry, ProgressStep
from tests.integration.gateway.conftest import Person, Served
from tests.integration.gateway.test_tenants import a_run
from tests.support.world import World


async def told(person: Person, run_id: str, *, after: str = "", enough: str = "end") -> list[tuple[str, Any]]:
    """The events until one of that name."""
    found: list[tuple[str, Any]] = []
    headers = {"Last-Event-ID": after} if after else {}
    async with (
        asyncio.timeout(20),
        person.http.stream("GET", f"/api/v1/runs/{run_id}/events", headers=headers) as response,
    ):
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("text/event-stream")
        name = ""
        async for line in response.aiter_lines():
            if line.startswith("event: "):
                name = line.removeprefix("event: ")
            elif line.startswith("data: "):
                found.append((name, json.loads(line.removeprefix("data: "))))
                if name == enough:
                    break
    return found


async def an_open_run(world: World, person: Person) -> tuple[str, UUID, UUID]:
    """Context, job and id of a run whose first attempt goes on."""
    context = await person.context()
    job = UUID((await person.job(context))["id"])
    run = await world.an_occurrence(job)
    await world.sql(
        "INSERT INTO run_attempts (run_id, attempt, context_id, job_id, executor, state, session_id) "
        "VALUES (:r, 1, :c, :j, 'executor-1', 'running', :s)",
        r=run,
        c=UUID(context),
        j=job,
        s=uuid4(),
    )
    return context, job, run


async def test_nobody_else_follows_a_run(person: Person, other: Person, served: Served, world: World) -> None:
    _, _, run = await an_open_run(world, person)
    path = f"/api/v1/runs/{run}/events"
    assert (await other.http.get(path)).status_code == 404
    assert (await (await served.client()).get(path)).status_code == 401
    assert (await person.http.get(f"/api/v1/runs/{uuid4()}/events")).status_code == 404


async def test_what_belongs_to_another_tenant_is_not_told_on_ones_own_run(
    person: Person, other: Person, world: World
) -> None:
    """Progress of a run is taken from its own context's subject alone."""
    context, job, run = await an_open_run(world, person)
    foreign = await other.context()
    executor = await world.bus("executor")

    def progress(of: str, text: str) -> RunProgress:
        step = ProgressStep(position=1, entry=Entry(position=1, role="user", content=text))
        return RunProgress(context_id=UUID(of), job_id=job, run_id=run, attempt=1, number=1, steps=[step])

    following = asyncio.create_task(told(person, str(run), enough="message"))
    while not following.done():
        await executor.hint(progress(foreign, "foreign"))
        await executor.hint(progress(context, "own"))
        await asyncio.wait([following], timeout=0.05)
    assert [data["content"] for name, data in await following if name == "message"] == ["own"]


async def test_who_follows_asks_the_executor_to_repeat(person: Person, world: World) -> None:
    _, _, run = await an_open_run(world, person)
    executor = await world.bus("executor")
    asked: asyncio.Queue[str] = asyncio.Queue()

    async def hear(subject: str, _payload: bytes) -> None:
        asked.put_nowait(subject)

    await executor.listen("run.followed.*.*", hear)
    following = asyncio.create_task(told(person, str(run), enough="message"))
    async with asyncio.timeout(10):
        assert (await asked.get()).endswith(str(run))
    following.cancel()
    await asyncio.wait([following])


async def test_a_run_whose_attempts_are_gone_is_told_from_its_conversation(
    person: Person, world: World
) -> None:
    context = await person.context()
    job = await person.job(context)
    run_id, session, _ = await a_run(world, context, job["id"])
    await world.sql("UPDATE conversation_messages SET position = position + 1 WHERE position = 1")
    await world.sql("UPDATE conversation_messages SET position = position + 1 WHERE position = 0")
    await world.sql("DELETE FROM run_attempts")
    found = await told(person, run_id)
    assert [name for name, _ in found] == ["attempt", "message", "message", "end"]
    assert found[0][1]["session_id"] == session
    assert [data["content"] for name, data in found if name == "message"] == ["question", "answer"]
    assert [name for name, _ in await told(person, run_id, after="1.1.0")] == ["message", "end"]


async def test_a_stream_ends_when_its_key_is_revoked(person: Person, world: World) -> None:
    _, job, run = await an_open_run(world, person)
    async with asyncio.timeout(20), person.http.stream("GET", f"/api/v1/runs/{run}/events") as response:
        lines = response.aiter_lines()
        while not (await anext(lines)).startswith("event: attempt"):
            pass
        await world.sql("UPDATE api_keys SET revoked_at = now()")
        # A hint about the job makes it look at once.
        hub = person.served.gateway.hub
        await hub.on_message(f"job.started.{uuid4()}.{job}", b"")
        assert [line async for line in lines if line.startswith("event: ")] == []
