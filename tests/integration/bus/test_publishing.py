"""What is published is stored once, whole and in order, or not at all."""

from uuid import uuid4

import pytest

from rota_bus.errors import PublishError
from rota_contracts.events import JobClosed, JobDue, RunRequested
from rota_contracts.streams import DEAD_LETTERS, EXECUTOR, JOBS, RUNS
from tests.integration.bus.dues import NOW, a_due, stored
from tests.support.world import World


async def test_a_batch_arrives_whole_and_in_order(world: World) -> None:
    ticker, executor = await world.bus("ticker"), await world.bus("executor")
    await ticker.ensure([JOBS])
    await executor.ensure([JOBS, DEAD_LETTERS], [EXECUTOR])
    events = [a_due() for _ in range(1200)]
    await ticker.publish(events)
    subscription = await executor.subscribe(EXECUTOR, slots=2000)
    got: list[JobDue] = []
    async for batch in subscription.batches():
        for delivery in batch:
            assert isinstance(delivery.event, JobDue)
            got.append(delivery.event)
            await delivery.ack()
        if len(got) == len(events):
            break
    assert got == events


@pytest.mark.parametrize("count", [5, 300])  # each on its own, and as an atomic batch that is refused
async def test_saying_the_same_again_stores_it_once(world: World, count: int) -> None:
    ticker = await world.bus("ticker")
    await ticker.ensure([JOBS])
    events = [a_due() for _ in range(count)]
    await ticker.publish(events[: count // 2])
    await ticker.publish(events)
    await ticker.publish(events)
    await ticker.publish([events[0]])
    assert await stored(world, "JOBS") == count
    first = await world.nats_admin.jetstream().get_msg("JOBS", 1)
    last = await world.nats_admin.jetstream().get_msg("JOBS", count)
    assert (first.subject, last.subject) == (events[0].subject, events[-1].subject)


async def test_a_message_that_is_too_long_is_refused_and_the_connection_stays(world: World) -> None:
    ticker = await world.bus("ticker")
    await ticker.ensure([JOBS])
    too_long = a_due(prompt_context="x" * 1024 * 1024)
    with pytest.raises(PublishError, match="MaxPayload"):
        await ticker.publish([a_due(), too_long])
    await ticker.publish([a_due(prompt_context="x" * 1_000_000) for _ in range(20)])
    assert await stored(world, "JOBS") == 20


async def test_where_no_stream_is_nothing_is_acknowledged(world: World) -> None:
    ticker = await world.bus("ticker")
    for count in (1, 20):
        with pytest.raises(PublishError, match="no stream"):
            await ticker.publish([a_due() for _ in range(count)])


@pytest.mark.parametrize(
    ("service", "event"),
    [
        ("executor", a_due()),
        (
            "results",
            JobClosed(
                context_id=uuid4(),
                job_id=uuid4(),
                run_id=uuid4(),
                scheduled_for=NOW,
                disposition="skipped",
                reason="overlap",
            ),
        ),
        ("notifier", RunRequested(context_id=uuid4(), job_id=uuid4(), run_id=uuid4())),
    ],
)
async def test_a_service_cannot_say_what_belongs_to_another(
    world: World, service: str, event: JobDue
) -> None:
    bus = await world.bus(service)
    await bus.ensure([JOBS, RUNS])
    await bus.hint(event)
    await bus._client.flush()
    assert await stored(world, "JOBS") == 0
    assert await stored(world, "RUNS") == 0
