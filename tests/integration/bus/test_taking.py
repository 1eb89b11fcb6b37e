"""Messages are taken as there are slots, acknowledged, or put away with the reason."""

import asyncio

from nats.aio.msg import Msg

from rota_bus import ack_all, serve
from rota_contracts.events import JobDue
from rota_contracts.streams import DEAD_LETTERS, EXECUTOR, JOBS
from tests.integration.bus.dues import a_due, is_connected, stored
from tests.support.eventually import eventually
from tests.support.world import World


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
