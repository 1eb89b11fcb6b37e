"""The lease: renewed while a run goes on, and the end of the run when it is lost (I3)."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Any

from rota_contracts.events import JobDue
from rota_executor import metrics
from rota_executor.repository import AttemptKey, Ended, Repository
from rota_store import Database, Row
from tests.integration.executor.conftest import Stage
from tests.support.eventually import eventually
from tests.support.scripted import ANSWER

SHORT = {"EXECUTOR_LEASE_SECONDS": "2", "EXECUTOR_GRACE_SECONDS": "0"}


async def running(stage: Stage, event: JobDue) -> bool:
    row = await stage.attempt(event)
    return row is not None and row.state == "running"


async def nothing_runs() -> bool:
    return bool(metrics.RUNNING._value.get() == 0)


@contextlib.asynccontextmanager
async def database_away(stage: Stage) -> AsyncIterator[None]:
    """The executor's role can neither connect nor go on with what is open."""
    await stage.world.sql("ALTER ROLE rota_executor CONNECTION LIMIT 0")
    try:
        await stage.world.sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'rota_executor'"
        )
        yield
    finally:
        await stage.world.sql("ALTER ROLE rota_executor CONNECTION LIMIT -1")


async def test_a_run_longer_than_its_lease_keeps_it(stage: Stage) -> None:
    await stage.an_agent("scripted:slow")
    async with stage.executor(EXECUTOR_LEASE_SECONDS="1"):
        completed = await stage.completed(await stage.due("sleep 2.5"))
    assert (completed.status, completed.attempt) == ("success", 1)


async def test_a_lost_lease_stops_the_run_and_nothing_is_published(stage: Stage) -> None:
    await stage.an_agent("scripted:slow")
    async with stage.executor(**SHORT):
        event = await stage.due("sleep 60")
        await eventually(lambda: running(stage, event))
        await stage.world.sql("UPDATE run_attempts SET lease_until = now() - interval '1 s'")
        await eventually(nothing_runs, seconds=5, what="the end of the run")
    assert (await stage.attempt(event)).state == "running"  # the ticker's to judge
    assert await stage.said("job.completed") == []


async def test_a_run_stops_before_its_lease_ends_when_postgresql_is_away(stage: Stage) -> None:
    await stage.an_agent("scripted:slow")
    async with stage.executor(**SHORT):
        event = await stage.due("sleep 60")
        await eventually(lambda: running(stage, event))
        async with database_away(stage):
            await eventually(nothing_runs, seconds=10, what="the end of the run")
            remaining = "SELECT lease_until > clock_timestamp() FROM run_attempts"
            assert await stage.world.value(remaining) is True
    assert await stage.said("job.completed") == []


async def test_an_outcome_waits_while_postgresql_is_away_for_a_moment(stage: Stage) -> None:
    await stage.an_agent("scripted:slow")
    async with stage.executor(EXECUTOR_LEASE_SECONDS="20"):
        event = await stage.due("sleep 1")
        await eventually(lambda: running(stage, event))
        finished = metrics.ATTEMPTS.labels("success")._value.get()
        async with database_away(stage):
            await eventually(lambda: stage_waits(stage, event), what="the run waiting for PostgreSQL")
        completed = await stage.completed(event)
    assert completed.content == ANSWER
    assert metrics.ATTEMPTS.labels("success")._value.get() == finished + 1


async def stage_waits(stage: Stage, event: JobDue) -> bool:
    """Long enough away that the run has ended and its outcome could not be written."""
    age = "SELECT clock_timestamp() - started_at > interval '1.5 s' FROM run_attempts"
    return bool(await stage.world.value(age)) and await running(stage, event)


class Frozen(Database):
    """Its process stands still for a while between the begin of a transaction and the statement."""

    async def fetch(self, statement: str, values: Mapping[str, Any] | None = None) -> list[Row]:
        async with self.transaction() as connection:
            await connection.fetch("SELECT 1")
            await asyncio.sleep(0.7)
            return await connection.fetch(statement, values)


async def test_a_transaction_that_began_in_time_does_not_write_an_outcome_after_the_lease(
    stage: Stage,
) -> None:
    event = await stage.due(publish=False)
    repository = Repository(stage.world.database("executor"), executor="frozen", lease_seconds=0.5)
    assert await repository.claim([event])
    database = Frozen(stage.environment()["ROTA_POSTGRES_URL"], application="frozen")
    late = Repository(database, executor="frozen", lease_seconds=0.5)
    key = AttemptKey(event.run_id, event.attempt)
    assert await late.renew([key]) == set()
    assert await late.end([Ended(key, "{}", "[]")]) == set()
    await database.close()
    assert (await stage.attempt(event)).state == "running"
