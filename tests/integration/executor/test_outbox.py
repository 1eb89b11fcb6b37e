"""Outcomes are rows before they are events, so that none is lost on the way out."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from rota_bus.errors import PublishError
from rota_contracts.codec import encode_payload
from rota_contracts.events import Event, JobDue
from rota_contracts.streams import JOBS
from rota_executor.deadline import Terms
from rota_executor.domain import Outcome, Record, completed
from rota_executor.outbox import Outbox
from rota_executor.repository import AttemptKey, Ended, Repository
from tests.integration.executor.conftest import Stage
from tests.support.eventually import eventually

TERMS = Terms(lease=20, notice=2.5)


async def an_ended_attempt(stage: Stage, content: str, *, executor: str = "gone") -> JobDue:
    """An attempt whose executor died between writing the outcome and publishing it."""
    event = await stage.due(publish=False)
    end = completed(
        event,
        Outcome("success", content),
        Record(),
        started_at=datetime.now(UTC),
        duration=timedelta(seconds=1),
    )
    repository = Repository(stage.world.database("executor"), TERMS)
    await repository.enter(executor)
    assert await repository.claim(executor, [event])
    outcome = Ended(key_of(event), encode_payload(end).decode(), "[]")
    written = await repository.end(executor, [outcome], uuid4())
    assert written == {key_of(event)}
    return event


def key_of(event: JobDue) -> AttemptKey:
    return AttemptKey(event.run_id, event.attempt)


async def test_the_sweep_publishes_an_outcome_that_its_executor_could_not(stage: Stage) -> None:
    event = await an_ended_attempt(stage, "from the grave")
    async with stage.executor(EXECUTOR_SWEEP_SECONDS="0.2"):
        assert (await stage.completed(event)).content == "from the grave"

        async def is_confirmed() -> bool:
            return not await stage.world.sql("SELECT * FROM unpublished_outcomes")

        await eventually(is_confirmed)


async def test_the_sweep_leaves_young_outcomes_to_their_executor(stage: Stage) -> None:
    event = await an_ended_attempt(stage, "just now")
    repository = Repository(stage.world.database("executor"), TERMS)
    assert await repository.unpublished(older_than_seconds=60, limit=10) == []
    assert [found.key for found in await repository.unpublished(older_than_seconds=0, limit=10)] == [
        key_of(event)
    ]


async def test_an_outcome_that_could_not_be_published_stays_for_the_next_sweep(stage: Stage) -> None:
    event = await an_ended_attempt(stage, "say it again")
    bus = await stage.world.bus("executor")
    await bus.ensure([JOBS])
    refusals = [PublishError("NATS is away")]

    async def publish(events: Sequence[Event]) -> None:
        if refusals:
            raise refusals.pop()
        await bus.publish(events)

    repository = Repository(stage.world.database("executor"), TERMS)
    outbox = Outbox(repository, publish, sweep_age_seconds=0)
    with pytest.raises(PublishError):
        await outbox.sweep()
    assert await stage.world.value("SELECT run_ids FROM unpublished_outcomes") == [event.run_id]
    assert await outbox.sweep() == 1
    assert await outbox.sweep() == 0
    assert (await stage.completed(event)).content == "say it again"


async def test_an_outcome_is_said_once_however_often_it_is_swept(stage: Stage) -> None:
    await an_ended_attempt(stage, "once")
    async with stage.executor(EXECUTOR_SWEEP_SECONDS="0.05"):
        for _ in range(3):
            await stage.world.sql(
                "INSERT INTO unpublished_outcomes (run_ids, attempts, created_at)"
                " SELECT ARRAY[run_id], ARRAY[attempt], now() - interval '1 s' FROM run_attempts"
            )

            async def is_confirmed() -> bool:
                return not await stage.world.sql("SELECT * FROM unpublished_outcomes")

            await eventually(is_confirmed)
    assert len(await stage.said("job.completed")) == 1


async def test_an_outcome_is_written_only_while_the_lease_is_held(stage: Stage) -> None:
    event = await stage.due(publish=False)
    repository = Repository(stage.world.database("executor"), TERMS)
    for executor in ("here", "other"):
        await repository.enter(executor)
    assert await repository.claim("here", [event])
    ended = [Ended(key_of(event), "{}", "[]")]
    assert await repository.end("other", ended, uuid4()) == set()
    await stage.world.sql("UPDATE executors SET lease_until = now() - interval '1 s' WHERE id = 'here'")
    assert await repository.end("here", ended, uuid4()) == set()
    assert await repository.claim("here", [event]) is None
    assert await repository.renew(["here", "other"]) == {"other"}  # what is lost stays lost
    assert (await stage.attempt(event)).state == "running"


async def test_text_that_postgresql_cannot_hold_is_mended(stage: Stage) -> None:
    await stage.an_agent("scripted:echo")
    answered = await stage.ran("a\x00b")
    assert answered.content == "a\N{REPLACEMENT CHARACTER}b"


async def test_a_long_answer_is_cut_so_that_it_fits_into_a_message(stage: Stage) -> None:
    await stage.an_agent("scripted:long")
    answered = await stage.ran()
    assert not isinstance(answered.content, list)
    assert len(answered.content) == 60_000
