"""Contexts are deleted while everybody is at work in them: nobody waits in a circle."""

import asyncio
import functools
import random
from collections.abc import Awaitable, Callable
from uuid import UUID

import pytest
import structlog

from rota_gateway.edge import unit
from rota_results.handlers import Recorder
from rota_results.repository import Repository
from rota_store import StatementError
from rota_ticker.handlers import Ticker
from tests.integration.gateway.conftest import Person
from tests.integration.ticker.test_together import endings, provoke
from tests.support.eventually import eventually
from tests.support.ticking import a_ticker
from tests.support.world import World

CONTEXTS = 8
GONE = "23503"


async def a_busy_context(world: World, person: Person) -> str:
    """Jobs that are due each second, and more of them than there is room for."""
    context = await person.context(max_concurrent_runs=3)
    for policy in ("allow", "cancel_other", "skip", "buffer_one"):
        await world.sql(
            "INSERT INTO scheduled_jobs (context_id, name, cron_expression, seconds_field, overlap_policy,"
            " max_retries, retry_backoff_seconds, auto_pause_after)"
            " SELECT :c, :p || n, '* * * * * *', true, :p, 3, 1, 50 FROM generate_series(1, 5) n",
            c=UUID(context),
            p=policy,
        )
    return context


async def test_contexts_are_deleted_while_everybody_is_at_work_in_them(person: Person, world: World) -> None:
    """Three tickers and two recorders: none of them stumbles, and every deletion is done at once."""
    chance = random.Random(5)
    tickers = [await a_ticker(world) for _ in range(3)]
    bus = await world.bus("results")
    recorders = [Recorder(Repository(world.database("results")), bus) for _ in range(2)]
    contexts = [await a_busy_context(world, person) for _ in range(CONTEXTS)]
    stumbles: list[str] = []
    over = asyncio.Event()

    async def complete(ticker: Ticker, recorder: Recorder) -> None:
        events = await endings(world)
        await asyncio.gather(recorder.on_job_completed(events), ticker.on_completed(events))

    async def repeated(work: Callable[[], Awaitable[object]]) -> None:
        while not over.is_set():
            try:
                await work()
            except StatementError as error:
                # What names a context that is just gone is told so, and taken again one by one.
                if error.sqlstate != GONE:
                    stumbles.append(f"{work}: {error}")
            await asyncio.sleep(0)

    works: list[Callable[[], Awaitable[object]]] = []
    for number, one in enumerate(tickers):
        works += [
            one.plan,
            one.fire,
            one.take_requests,
            one.take_cancellations,
            one.admit_waiting,
            one.reconcile,
        ]
        works.append(functools.partial(complete, one, recorders[number % 2]))
    running = [asyncio.create_task(repeated(work)) for work in works]
    for context in contexts:
        rows = await world.sql("SELECT context_id, id FROM scheduled_jobs")
        await provoke(world, [tuple(row) for row in chance.sample(rows, 10)])
        answer = await person.http.delete(f"/api/v1/contexts/{context}")
        if answer.status_code != 204:
            stumbles.append(answer.text)
    over.set()
    await asyncio.gather(*running)
    assert stumbles == []
    assert await world.value("SELECT count(*) FROM occurrences") == 0
    assert await world.value("SELECT count(*) FROM agent_execution_results") == 0


async def test_who_deletes_a_context_makes_way_and_tries_again(
    person: Person, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A ticker holds a run; a request that never gets through is told so, and has done nothing."""
    monkeypatch.setattr(unit, "PAUSE_SECONDS", 0.001)
    context = await person.context()
    job = await person.job(context)
    await world.an_occurrence(UUID(job["id"]))
    path = f"/api/v1/contexts/{context}"
    async with world.database("ticker").transaction() as connection:
        await connection.fetch("SELECT 1 FROM occurrences FOR UPDATE")
        with monkeypatch.context() as impatient, structlog.testing.capture_logs() as said:
            impatient.setattr(unit, "MAX_TRIES", 3)
            refused = await person.http.delete(path)
        assert (refused.status_code, "Others are changing" in refused.json()["detail"]) == (503, True)
        assert [line["action"] for line in said].count("request_repeated") == 2
        assert (await person.get(f"/jobs/{job['id']}"))["id"] == job["id"]
        waiting = asyncio.create_task(person.http.delete(path))
        with structlog.testing.capture_logs() as said:

            async def repeated() -> bool:
                return any(line["action"] == "request_repeated" for line in said)

            await eventually(repeated, what="another try")
    assert (await waiting).status_code == 204
