"""The lease: proven while runs go on, and the end of the runs when it is lost (I3)."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from rota_contracts.events import JobDue
from rota_executor import metrics
from rota_executor.deadline import Terms
from rota_executor.repository import AttemptKey, Claimed, Ended, Repository
from rota_store import Database, Row
from tests.integration.executor.conftest import Stage
from tests.support.eventually import eventually
from tests.support.line import Line
from tests.support.scripted import ANSWER

SHORT = {"EXECUTOR_LEASE_SECONDS": "2", "EXECUTOR_GRACE_SECONDS": "0"}
# A notice of half a second, so that what lasts for seconds is long.
HASTY = {"EXECUTOR_NOTICE_SECONDS": "0.5", "EXECUTOR_GRACE_SECONDS": "0"}


async def running(stage: Stage, event: JobDue) -> bool:
    row = await stage.attempt(event)
    return row is not None and row.state == "running"


async def nothing_runs() -> bool:
    return bool(metrics.RUNNING._value.get() == 0)


async def begun(stage: Stage, prompt: str = "sleep 60") -> JobDue:
    """A run that is under way."""
    event = await stage.due(prompt)
    await eventually(lambda: running(stage, event), what="the run")
    return event


async def older_than(stage: Stage, event: JobDue, seconds: float) -> None:
    """Waits until the run has gone on for so long."""

    async def is_older() -> bool:
        age = "SELECT extract(epoch FROM clock_timestamp() - started_at) FROM run_attempts WHERE run_id = :r"
        return bool(await stage.world.value(age, r=event.run_id) > seconds)

    await eventually(is_older)


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
    async with stage.executor(EXECUTOR_LEASE_SECONDS="4"):
        completed = await stage.completed(await stage.due("sleep 6"))
    assert (completed.status, completed.attempt) == ("success", 1)


async def test_a_lost_lease_stops_the_run_and_nothing_is_published(stage: Stage) -> None:
    await stage.an_agent("scripted:slow")
    async with stage.executor(**SHORT):
        event = await begun(stage)
        await stage.world.sql("UPDATE executors SET lease_until = now() - interval '1 s'")
        await eventually(nothing_runs, what="the end of the run")
    assert (await stage.attempt(event)).state == "running"  # the ticker's to judge
    assert await stage.said("job.completed") == []


async def test_after_a_lost_lease_it_goes_on_under_another_name(stage: Stage) -> None:
    await stage.an_agent("scripted:slow")
    async with stage.executor(**SHORT):
        lost = await begun(stage)
        await stage.world.sql("UPDATE executors SET ended_at = now()")
        await eventually(nothing_runs, what="the end of the run")
        after = await stage.due("sleep 0")
        assert (await stage.completed(after)).status == "success"
    names = [(await stage.attempt(event)).executor for event in (lost, after)]
    assert len({*names}) == 2
    assert await stage.world.value("SELECT count(*) FROM executors") == 2


async def test_an_idle_executor_renews_nothing_and_its_next_run_is_under_another_name(stage: Stage) -> None:
    await stage.an_agent("scripted:noop")
    async with stage.executor(EXECUTOR_LEASE_SECONDS="1"):
        first = await stage.due()
        await stage.completed(first)

        async def is_over() -> bool:
            return bool(await stage.world.value("SELECT bool_and(lease_until < now()) FROM executors"))

        await eventually(is_over, what="the end of the lease")
        second = await stage.due()
        await stage.completed(second)
    assert (await stage.attempt(first)).executor != (await stage.attempt(second)).executor


async def test_a_run_stops_before_its_lease_ends_when_postgresql_is_away(stage: Stage) -> None:
    await stage.an_agent("scripted:slow")
    async with stage.executor(**SHORT):
        event = await begun(stage)
        stops: list[datetime] = []
        (run,) = [task for task in asyncio.all_tasks() if task.get_name() == f"run-{event.run_id}"]
        run.add_done_callback(lambda _: stops.append(datetime.now(UTC)))
        async with database_away(stage):
            await eventually(nothing_runs, what="the end of the run")
            lease_until = await stage.world.value("SELECT lease_until FROM executors")
            assert [stop < lease_until for stop in stops] == [True]
    assert await stage.said("job.completed") == []


async def test_while_nats_answers_postgresql_may_be_away_for_longer_than_a_notice(stage: Stage) -> None:
    await stage.an_agent("scripted:slow")
    async with stage.executor(**HASTY):
        event = await begun(stage, "sleep 3")
        async with database_away(stage):
            await older_than(stage, event, 1.5)
        completed = await stage.completed(event)
    assert (completed.content, completed.attempt) == (ANSWER, 1)


async def test_while_postgresql_renews_nats_may_be_away_for_longer_than_a_notice(stage: Stage) -> None:
    await stage.an_agent("scripted:slow")
    async with (
        Line.to(stage.world.servers.nats.url) as line,
        stage.executor(**HASTY, ROTA_NATS_URL=line.url),
    ):
        event = await begun(stage, "sleep 3")
        await line.cut()
        await older_than(stage, event, 1.5)
        await line.mend()
        completed = await stage.completed(event)
    assert (completed.content, completed.attempt) == (ANSWER, 1)


async def test_with_both_away_a_run_stops_within_the_notice(stage: Stage) -> None:
    await stage.an_agent("scripted:slow")
    async with (
        Line.to(stage.world.servers.nats.url) as line,
        stage.executor(**HASTY, ROTA_NATS_URL=line.url),
    ):
        await begun(stage)
        await line.cut()
        async with database_away(stage):
            await eventually(nothing_runs, what="the end of the run")
            remaining = "SELECT lease_until - clock_timestamp() > interval '10 s' FROM executors"
            assert await stage.world.value(remaining) is True
        await line.mend()
    assert await stage.said("job.completed") == []


async def test_who_came_back_to_nats_stops_within_the_notice_until_postgresql_was_asked(stage: Stage) -> None:
    """A ticker may have found nobody listening, and given notice, while the connection was broken."""
    await stage.an_agent("scripted:slow")
    async with (
        Line.to(stage.world.servers.nats.url) as line,
        stage.executor(**HASTY | {"EXECUTOR_NOTICE_SECONDS": "2.5"}, ROTA_NATS_URL=line.url),
    ):
        await begun(stage)
        async with database_away(stage):
            await line.cut()
            await line.mend()
            await eventually(nothing_runs, what="the end of the run")
            remaining = "SELECT lease_until - clock_timestamp() > interval '5 s' FROM executors"
            assert await stage.world.value(remaining) is True


async def test_a_process_that_stood_still_asks_before_it_stops_what_runs(stage: Stage) -> None:
    await stage.an_agent("scripted:slow")
    async with stage.executor(**HASTY):
        event = await begun(stage, "sleep 3")
        time.sleep(1.5)  # noqa: ASYNC251  the whole loop stands still
        completed = await stage.completed(event)
    assert (completed.content, completed.attempt) == (ANSWER, 1)


async def test_a_process_that_stood_still_and_finds_nobody_to_ask_stops_what_runs(stage: Stage) -> None:
    await stage.an_agent("scripted:slow")
    async with stage.executor(**HASTY):
        await begun(stage)
        async with database_away(stage):
            time.sleep(1.5)  # noqa: ASYNC251  as above
            await eventually(nothing_runs, what="the end of the run")
    assert await stage.said("job.completed") == []


async def test_an_outcome_waits_while_postgresql_is_away_for_a_moment(stage: Stage) -> None:
    await stage.an_agent("scripted:slow")
    async with stage.executor(EXECUTOR_LEASE_SECONDS="20"):
        event = await begun(stage, "sleep 1")
        finished = metrics.ATTEMPTS.labels("success")._value.get()
        async with database_away(stage):
            await older_than(stage, event, 1.5)
            assert await running(stage, event)
        completed = await stage.completed(event)
    assert completed.content == ANSWER
    assert metrics.ATTEMPTS.labels("success")._value.get() == finished + 1


async def test_what_a_lost_answer_had_claimed_is_run_by_whom_it_was_given_to(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody else may begin it while the lease goes on, and it goes on with every other run."""
    claim = Repository.claim
    lost: list[dict[AttemptKey, Claimed] | None] = []

    async def without_answer(
        self: Repository, executor: str, events: Sequence[JobDue]
    ) -> dict[AttemptKey, Claimed] | None:
        won = await claim(self, executor, events)
        if not lost:
            lost.append(won)
            raise ConnectionResetError("the answer is lost")
        return won

    monkeypatch.setattr(Repository, "claim", without_answer)
    await stage.an_agent("scripted:noop")
    async with stage.executor():
        event = await stage.due()
        completed = await stage.completed(event)
    assert [key.run_id for key in lost[0] or {}] == [event.run_id]
    assert (completed.status, completed.attempt) == ("success", 1)
    info = await stage.world.nats_admin.jetstream().consumer_info("JOBS", "executor")
    assert info.delivered.consumer_seq == 1  # another executor was never asked


async def test_when_an_outcome_cannot_be_written_its_lease_takes_no_more(stage: Stage) -> None:
    """The row says that the run goes on here: only the end of the lease frees it."""
    await stage.an_agent("scripted:slow")
    async with stage.executor():
        event = await begun(stage, "sleep 1")
        executor = (await stage.attempt(event)).executor
        await stage.world.sql("DELETE FROM run_attempts")
        await eventually(nothing_runs, what="the end of the run")
        other = await stage.due("sleep 0")
        assert (await stage.completed(other)).status == "success"
    assert (await stage.attempt(other)).executor != executor
    assert await stage.world.value("SELECT count(*) FROM executors") == 2


class Frozen(Database):
    """Its process stands still for a while between the begin of a transaction and the statement."""

    async def fetch(self, statement: str, values: Mapping[str, Any] | None = None) -> list[Row]:
        async with self.transaction() as connection:
            await connection.fetch("SELECT 1")
            await asyncio.sleep(0.7)
            return await connection.fetch(statement, values)


async def test_a_transaction_that_began_in_time_writes_nothing_after_the_lease(stage: Stage) -> None:
    event = await stage.due(publish=False)
    key, terms = AttemptKey(event.run_id, event.attempt), Terms(lease=0.5, notice=2.5)
    repository = Repository(stage.world.database("executor"), terms)
    await repository.enter("frozen")
    assert await repository.claim("frozen", [event])
    database = Frozen(stage.environment()["ROTA_POSTGRES_URL"], application="frozen")
    late = Repository(database, terms)
    assert await late.renew(["frozen"]) == set()
    assert await late.end("frozen", [Ended(key, "{}", "[]")], uuid4()) == set()
    assert await late.begin_effect("frozen", key, "call", "tool", "{}") is None
    assert await late.claim("frozen", [event]) is None
    await database.close()
    assert (await stage.attempt(event)).state == "running"
