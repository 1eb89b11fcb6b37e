"""What is only heard: hints, in order, and after a break too."""

from uuid import uuid4

from rota_contracts.events import RunRequested
from rota_contracts.streams import JOBS
from tests.integration.bus.dues import a_due
from tests.support.eventually import eventually
from tests.support.world import World


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
    before = await gateway.ping(5)  # the library's flush overtakes what waits to be sent
    events = [a_due() for _ in range(30)]
    await ticker.publish(events)
    await eventually(all_heard)
    assert heard == [event.subject for event in events]
    await gateway._client.force_reconnect()

    async def is_another() -> bool:
        return gateway.connection not in {None, before}

    await eventually(is_another)
    await gateway.ping(5)
    events += [a_due()]
    await ticker.publish(events[-1:])
    await eventually(all_heard)
    await hearing.stop()
    await gateway.ping(5)
    await ticker.publish([a_due()])
    await gateway.ping(5)
    assert len(heard) == len(events)
