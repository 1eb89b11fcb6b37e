"""The server refuses, loses its data, or dies."""

import asyncio

import pytest

from rota_bus import connected
from rota_bus.errors import BusUnavailableError
from rota_chassis.lifecycle import Lifetime
from rota_chassis.settings import ServiceSettings
from rota_contracts.streams import DEAD_LETTERS, EXECUTOR, JOBS
from tests.integration.bus.dues import a_due, said_at_last
from tests.support.world import World


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

    await said_at_last(ticker, event)
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

    await said_at_last(ticker, event)
    async with asyncio.timeout(20):
        async for batch in subscription.batches():
            assert batch[0].event == event
            await batch[0].ack()
            break
