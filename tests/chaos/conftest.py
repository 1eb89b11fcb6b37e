from collections.abc import AsyncIterator

import pytest

from tests.support.servers import Servers
from tests.support.system import System
from tests.support.world import World


@pytest.fixture(scope="module")
async def shared_system(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[System]:
    async with World.created(servers) as world:
        logs = tmp_path_factory.mktemp("logs")
        async with System.running(world, logs, also=("ticker-2", "executor-2")) as running:
            yield running


@pytest.fixture
async def system(shared_system: System) -> System:
    """All five services, and a second ticker and executor, whatever the test before did to them."""
    await shared_system.heal()
    return shared_system
