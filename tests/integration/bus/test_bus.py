"""The bus against a real server with the real permissions."""

import asyncio
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from nats.aio.msg import Msg

from rota_bus import Bus, ack_all, connected, serve
from rota_bus.errors import BusUnavailableError, PublishError
from rota_chassis.errors import RetryableError
from rota_chassis.lifecycle import Lifetime
from rota_chassis.settings import ServiceSettings
from rota_contracts.events import JobClosed, JobDue, JobSnapshot, RunRequested
from rota_contracts.streams import DEAD_LETTERS, EXECUTOR, JOBS, RUNS
from tests.support.eventually import eventually
from tests.support.world import World

NOW = datetime.now(UTC)


def a_due(**columns: object) -> JobDue:
    job = JobSnapshot(
        name="a",
        agent_name="b",
        skill_prompt="c",
        cron_expression="* * * * *",
        timezone="UTC",
        timeout_seconds=30,
        max_retries=0,
        generation=1,
    )
    values = {
        "context_id": uuid4(),
        "job_id": uuid4(),
        "run_id": uuid4(),
        "attempt": 1,
        "scheduled_for": NOW,
        "effective_at": NOW,
        "trigger": "schedule",
        "job": job,
    }
    return JobDue(**(values | columns))  # type: ignore[arg-type]


async def stored(world: World, stream: str) -> int:
    info = await world.nats_admin.jetstream().stream_info(stream)
    return int(info.state.messages)


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


async def test_what_is_acknowledged_together_does_not_come_again(world: World) -> None:
    ticker, executor = await world.bus("ticker"), await world.bus("executor")
    await ticker.ensure([JOBS])
    await executor.ensure([JOBS], [EXECUTOR])
    await ticker.publish([a_due() for _ in range(200)])
    subscription = await executor.subscribe(EXECUTOR, slots=50)
    seen = 0
    async for batch in subscription.batches():
        seen += len(batch)
        await batch[0].ack()
        await ack_all(batch)
        await ack_all(batch)
        assert all(delivery.settled for delivery in batch)
        if seen == 200:
            break

    async def acknowledged() -> bool:
        info = await world.nats_admin.jetstream().consumer_info("JOBS", "executor")
        return bool(info.num_ack_pending == 0 and info.num_pending == 0)

    await eventually(acknowledged)


async def test_one_request_asks_for_many(world: World) -> None:
    ticker, executor = await world.bus("ticker"), await world.bus("executor")
    await ticker.ensure([JOBS])
    await executor.ensure([JOBS], [EXECUTOR])
    requests: list[Msg] = []

    async def count(message: Msg) -> None:
        requests.append(message)

    subscription = await executor.subscribe(EXECUTOR, slots=40)
    await world.nats_admin.subscribe("$JS.API.CONSUMER.MSG.NEXT.>", cb=count)
    await world.nats_admin.flush()
    events = [a_due() for _ in range(60)]
    async with asyncio.timeout(20):
        for event in events:
            await ticker.publish([event])
            batch = await anext(subscription.batches())
            assert [delivery.event for delivery in batch] == [event]
            await batch[0].ack()
    await world.nats_admin.flush()
    assert 2 <= len(requests) <= 4


async def test_slots_bound_what_is_unsettled(world: World) -> None:
    ticker, executor = await world.bus("ticker"), await world.bus("executor")
    await ticker.ensure([JOBS])
    await executor.ensure([JOBS], [EXECUTOR])
    await ticker.publish([a_due() for _ in range(20)])
    subscription = await executor.subscribe(EXECUTOR, slots=4)
    held = []
    async for batch in subscription.batches():
        held += batch
        if len(held) == 4:
            break
    info = await world.nats_admin.jetstream().consumer_info("JOBS", "executor")
    assert info.num_ack_pending == 4
    await held[0].ack()
    async for batch in subscription.batches():
        assert len(batch) == 1
        break


async def test_slots_bound_what_is_unsettled_after_short_breaks_of_the_connection(world: World) -> None:
    ticker, executor = await world.bus("ticker"), await world.bus("executor")
    await ticker.ensure([JOBS])
    await executor.ensure([JOBS], [EXECUTOR])
    subscription = await executor.subscribe(EXECUTOR, slots=2)
    for _ in range(3):
        await executor._client.force_reconnect()
        await eventually(lambda: is_connected(executor))
        await asyncio.sleep(0.3)  # until it has asked again
    events = [a_due() for _ in range(12)]
    await ticker.publish(events)
    await asyncio.sleep(0.5)  # all that was ever asked for has arrived
    handled = set()
    async with asyncio.timeout(20):
        async for batch in subscription.batches():
            assert len(batch) <= 2
            for delivery in batch:
                handled.add(delivery.event.message_id)
                await delivery.ack()
            if len(handled) == len(events):
                break


async def is_connected(bus: Bus) -> bool:
    return bus._client.is_connected


async def test_a_foreign_message_is_a_dead_letter_and_blocks_nobody(world: World) -> None:
    ticker, executor = await world.bus("ticker"), await world.bus("executor")
    await ticker.ensure([JOBS])
    await executor.ensure([JOBS, DEAD_LETTERS], [EXECUTOR])
    wrong = a_due()
    foreign = [
        (wrong.subject, b"{", {"ce-type": JobDue.TYPE}),
        (wrong.subject, b"{}", {"ce-type": JobDue.TYPE}),
        (wrong.subject, b"{}", None),
        (wrong.subject, b"{}", {"Nats-Expected-Stream": "JOBS"}),
        (wrong.subject, b"\xff\xfe", {"ce-type": "rota.no.such.v9"}),
        ("job.due.x.y", b"[]", {"ce-type": JobDue.TYPE}),
    ]
    for subject, payload, headers in foreign:
        await world.nats_admin.jetstream().publish(subject, payload, headers=headers)
    good = a_due()
    await ticker.publish([good])
    subscription = await executor.subscribe(EXECUTOR)
    async for batch in subscription.batches():
        assert [delivery.event for delivery in batch] == [good]
        await batch[0].ack()
        break
    assert await stored(world, "DEAD_LETTERS") == len(foreign)
    letter = await world.nats_admin.jetstream().get_msg("DEAD_LETTERS", 1)
    assert letter.data == b"{"
    assert letter.headers is not None
    assert letter.headers["rota-subject"] == wrong.subject
    assert "rota.job.due.v1" in letter.headers["rota-reason"]

    async def acknowledged() -> bool:
        info = await world.nats_admin.jetstream().consumer_info("JOBS", "executor")
        return bool(info.num_ack_pending == 0)

    await eventually(acknowledged)


async def test_a_poison_event_is_buried_and_its_neighbours_are_handled(world: World) -> None:
    ticker, executor = await world.bus("ticker"), await world.bus("executor")
    await ticker.ensure([JOBS])
    await executor.ensure([JOBS, DEAD_LETTERS], [EXECUTOR])
    events = [a_due() for _ in range(6)]
    handled: set[object] = set()

    async def handle(batch: list[JobDue]) -> None:
        if events[2] in batch:
            raise RuntimeError("this one cannot be handled")
        handled.update(event.run_id for event in batch)

    subscription = await executor.subscribe(EXECUTOR)
    loop = asyncio.create_task(serve(subscription, handle, is_transient=lambda _: False))
    await ticker.publish(events)

    async def buried() -> bool:
        return await stored(world, "DEAD_LETTERS") == 1

    await eventually(buried, seconds=20)
    assert handled == {event.run_id for event in events if event != events[2]}
    letter = await world.nats_admin.jetstream().get_msg("DEAD_LETTERS", 1)
    assert letter.headers is not None
    assert "this one cannot be handled" in letter.headers["rota-reason"]
    await subscription.stop()
    await loop


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


async def test_a_hint_that_is_given_while_nats_is_away_waits_for_it(world: World) -> None:
    gateway, ticker = await world.bus("gateway"), await world.bus("ticker")
    heard: list[str] = []

    async def hear(subject: str, _payload: bytes) -> None:
        heard.append(subject)

    await ticker.listen("run.requested.*.*", hear)
    await ticker._client.flush()
    event = RunRequested(context_id=uuid4(), job_id=uuid4(), run_id=uuid4())
    await gateway._client.force_reconnect()
    assert not gateway._client.is_connected
    await gateway.hint(event)

    async def is_heard() -> bool:
        return heard == [event.subject]

    await eventually(is_heard)


async def test_what_is_said_is_heard_in_order_until_the_hearing_stops(world: World) -> None:
    ticker, gateway = await world.bus("ticker"), await world.bus("gateway")
    await ticker.ensure([JOBS])
    heard: list[str] = []

    async def hear(subject: str, _payload: bytes) -> None:
        heard.append(subject)
        if len(heard) == 1:
            raise RuntimeError("one that fails")

    async def all_heard() -> bool:
        return len(heard) == len(events)

    hearing = await gateway.listen("job.due.*.*", hear)
    await gateway._client.flush()
    events = [a_due() for _ in range(30)]
    await ticker.publish(events)
    await eventually(all_heard)
    assert heard == [event.subject for event in events]
    await gateway._client.force_reconnect()
    await eventually(lambda: is_connected(gateway))
    events += [a_due()]
    await ticker.publish(events[-1:])
    await eventually(all_heard)
    await hearing.stop()
    await gateway._client.flush()
    await ticker.publish([a_due()])
    await gateway._client.flush()
    assert len(heard) == len(events)


async def test_a_service_that_nats_refuses_for_good_ends_to_be_started_anew(world: World) -> None:
    """The client gives up then; a process that stayed would be alive and do nothing."""
    lifetime = Lifetime()
    settings = ServiceSettings.model_validate(world.environment("results"))
    async with connected(settings, lifetime, "results") as bus:
        # What the server says when a reload takes the user away.
        await bus._client._process_err("'Account Authentication Expired'")
        async with asyncio.timeout(5):
            await lifetime.stopping.wait()
    with pytest.raises(BusUnavailableError):
        lifetime.raise_failure()


async def test_a_bus_that_is_closed_in_order_is_not_refused(world: World) -> None:
    lifetime = Lifetime()
    settings = ServiceSettings.model_validate(world.environment("results"))
    async with connected(settings, lifetime, "results"):
        pass
    lifetime.raise_failure()


async def test_after_the_loss_of_its_data_everything_is_declared_again(world: World) -> None:
    ticker, executor = await world.bus("ticker"), await world.bus("executor")
    await ticker.ensure([JOBS])
    await executor.ensure([JOBS, DEAD_LETTERS], [EXECUTOR])
    subscription = await executor.subscribe(EXECUTOR)
    for name in ("JOBS", "DEAD_LETTERS"):
        await world.nats_admin.jetstream().delete_stream(name)
    event = a_due()

    async def published() -> bool:
        try:
            await ticker.publish([event])
        except RetryableError:
            return False
        return True

    await eventually(published)
    async with asyncio.timeout(20):
        async for batch in subscription.batches():
            assert batch[0].event == event
            break


async def test_both_sides_go_on_after_the_server_was_killed(world: World) -> None:
    ticker, executor = await world.bus("ticker"), await world.bus("executor")
    await ticker.ensure([JOBS])
    await executor.ensure([JOBS, DEAD_LETTERS], [EXECUTOR])
    subscription = await executor.subscribe(EXECUTOR)
    world.servers.nats.kill()
    world.servers.nats.start()
    event = a_due()

    async def published() -> bool:
        try:
            await ticker.publish([event])
        except RetryableError:
            return False
        return True

    await eventually(published)
    async with asyncio.timeout(20):
        async for batch in subscription.batches():
            assert batch[0].event == event
            await batch[0].ack()
            break
