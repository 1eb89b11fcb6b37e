"""Who listens to a subject, as the server says; and what a question about the connection proves."""

import pytest

from rota_bus.errors import BusUnavailableError
from rota_contracts.presence import GONE, presence_subject
from tests.support.eventually import eventually
from tests.support.line import Line
from tests.support.world import World

HERE, AWAY = presence_subject("host/1/here"), presence_subject("host/1/away")


async def hear(_subject: str, _payload: bytes) -> None:
    """Answers nothing."""


async def test_only_who_is_not_subscribed_is_absent(world: World) -> None:
    ticker, executor = await world.bus("ticker"), await world.bus("executor")
    assert await ticker.absent([], 1) == set()
    assert await ticker.absent([HERE, AWAY], 1) == {HERE, AWAY}
    hearing = await executor.listen(HERE, hear)
    await executor.ping(1)
    assert await ticker.absent([HERE, AWAY], 1) == {AWAY}
    await hearing.stop()
    await executor.ping(1)
    assert await ticker.absent([HERE, AWAY], 1) == {HERE, AWAY}


async def test_what_was_subscribed_to_before_a_ping_is_known_after_it(world: World) -> None:
    ticker, executor = await world.bus("ticker"), await world.bus("executor")
    for number in range(50):
        subject = presence_subject(f"host/1/{number}")
        await executor.listen(subject, hear)
        await executor.ping(1)
        assert await ticker.absent([subject], 1) == set()


async def test_a_connection_that_breaks_is_another_one_afterwards(world: World) -> None:
    ticker = await world.bus("ticker")
    async with Line.to(world.servers.nats.url) as line:
        executor = await world.bus("executor", url=line.url)
        await executor.listen(HERE, hear)
        first = await executor.ping(1)
        assert await executor.ping(1) == first == executor.connection
        assert await ticker.absent([HERE], 1) == set()
        await line.cut()

        async def is_absent() -> bool:
            return await ticker.absent([HERE], 1) == {HERE}

        await eventually(is_absent, what="the server to notice")
        with pytest.raises(BusUnavailableError):
            await executor.ping(1)
        await line.mend()

        async def answers() -> bool:
            try:
                return await executor.ping(1) > first
            except BusUnavailableError:
                return False

        await eventually(answers, what="another connection")
        assert await ticker.absent([HERE], 1) == set()


async def test_while_nats_is_away_nobody_is_absent(world: World) -> None:
    async with Line.to(world.servers.nats.url) as line:
        ticker = await world.bus("ticker", url=line.url)
        await line.cut()
        with pytest.raises(BusUnavailableError):
            await ticker.absent([HERE], 1)


async def test_a_server_that_does_not_answer_leaves_the_connection_usable(world: World) -> None:
    """The library's own flush would end the reading when the answer comes after all."""
    async with Line.to(world.servers.nats.url) as line:
        ticker = await world.bus("ticker", url=line.url)
        with line.held(), pytest.raises(BusUnavailableError):
            await ticker.ping(0.1)
        assert await ticker.ping(5) == ticker.connection
        assert await ticker.absent([HERE], 5) == {HERE}


async def test_a_signal_reaches_all_who_listen(world: World) -> None:
    ticker, executor = await world.bus("ticker"), await world.bus("executor")
    heard: list[tuple[str, bytes]] = []

    async def note(subject: str, payload: bytes) -> None:
        heard.append((subject, payload))

    await executor.listen(GONE, note)
    await executor.ping(1)
    ticker.signal(GONE)

    async def is_heard() -> bool:
        return heard == [(GONE, b"")]

    await eventually(is_heard)
