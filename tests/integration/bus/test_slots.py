"""What is accepted is answered at once and keeps its slot until it is finished."""

from rota_bus import Delivery, accept_all, finish_all
from rota_contracts.streams import EXECUTOR, JOBS
from tests.integration.bus.dues import a_due
from tests.support.eventually import eventually
from tests.support.world import World


async def test_what_is_accepted_never_comes_again_and_keeps_its_slot(world: World) -> None:
    ticker, executor = await world.bus("ticker"), await world.bus("executor")
    await ticker.ensure([JOBS])
    await executor.ensure([JOBS], [EXECUTOR])
    await ticker.publish([a_due() for _ in range(5)])
    subscription = await executor.subscribe(EXECUTOR, slots=2)
    first: list[Delivery] = []
    async for batch in subscription.batches():
        first += batch
        if len(first) == 2:
            break
    accept_all(first)
    accept_all(first)

    async def waiting() -> tuple[int, int]:
        info = await world.nats_admin.jetstream().consumer_info("JOBS", EXECUTOR.durable)
        return info.num_ack_pending or 0, info.num_pending or 0

    async def is_answered() -> bool:
        return await waiting() == (0, 3)  # two are in hand, and nobody asked for the others

    await eventually(is_answered)
    finish_all([*first, *first])
    more: list[Delivery] = []
    async for batch in subscription.batches():
        more += batch
        if len(more) == 2:
            break
    assert not {one.event.message_id for one in first} & {one.event.message_id for one in more}
    assert await waiting() == (2, 1)
