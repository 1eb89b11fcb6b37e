"""Server-sent events: who hears what, and that a stream ends with its right to be heard."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

from rota_contracts.events import JobClosed
from tests.integration.gateway.conftest import Person, Served
from tests.support.eventually import eventually
from tests.support.world import World


@asynccontextmanager
async def hints(person: Person) -> AsyncIterator[AsyncIterator[dict[str, Any]]]:
    """The hints that the person hears, from when the stream is open."""
    async with person.http.stream("GET", "/api/v1/events") as response:
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("text/event-stream")
        lines = response.aiter_lines()
        while await anext(lines) != ": listening":
            pass

        async def heard() -> AsyncIterator[dict[str, Any]]:
            async for line in lines:
                if line.startswith("data: "):
                    yield json.loads(line.removeprefix("data: "))

        yield heard()


async def test_a_member_hears_of_changes_and_others_do_not(person: Person, other: Person) -> None:
    own, foreign = await person.context(), await other.context()
    async with asyncio.timeout(10), hints(person) as mine:
        await other.job(foreign)
        job = await person.job(own)
        assert await anext(mine) == {"event": "job.changed", "context_id": own, "id": job["id"]}


async def test_a_context_made_after_the_stream_was_opened_is_heard(person: Person) -> None:
    async with asyncio.timeout(10), hints(person) as mine:
        context = await person.context()
        await person.job(context)
        assert (await anext(mine))["context_id"] == context


async def test_what_another_service_says_is_heard(person: Person, world: World) -> None:
    context = await person.context()
    job = await person.job(context)
    run = await world.an_occurrence(UUID(job["id"]))
    ticker = await world.bus("ticker")
    async with asyncio.timeout(10), hints(person) as mine:
        closed = await world.value("SELECT scheduled_for FROM occurrences")
        event = JobClosed(
            context_id=UUID(context),
            job_id=UUID(job["id"]),
            run_id=run,
            scheduled_for=closed,
            disposition="missed",
            reason="x",
        )
        await ticker.publish([event])
        assert (await anext(mine))["event"] == "job.closed"


async def test_the_bus_is_heard_only_while_somebody_listens(person: Person, served: Served) -> None:
    async def hears() -> bool:
        return served.gateway.hub.is_hearing

    async def is_silent() -> bool:
        return not await hears()

    assert await is_silent()
    async with asyncio.timeout(10), hints(person), hints(person):
        assert await hears()
    assert await eventually(is_silent)


async def test_nobody_listens_without_a_key(served: Served) -> None:
    client = await served.client()
    assert (await client.get("/api/v1/events")).status_code == 401


async def test_a_stream_ends_when_its_key_is_revoked(person: Person, world: World) -> None:
    foreign = await world.a_context()
    async with asyncio.timeout(10), hints(person) as mine:
        await world.sql("UPDATE api_keys SET revoked_at = now()")
        # A context that is not known makes the stream look up its rights at once.
        await person.served.gateway.hub.on_message(f"notification.sent.{foreign}", b"")
        assert [hint async for hint in mine] == []


async def test_a_stopping_gateway_ends_its_streams(person: Person) -> None:
    async with asyncio.timeout(10), hints(person) as mine:
        person.served.gateway.hub.close()
        assert [hint async for hint in mine] == []
