import random
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from tests.support.servers import Servers
from tests.support.system import System
from tests.support.world import World


@dataclass(frozen=True)
class Measure:
    """How much is done to the system: `--chaos short` for CI, `--chaos long` for `make chaos`."""

    # Of trouble that comes again and again.
    seconds: float
    # Of each context.
    jobs: int


MEASURES = {"short": Measure(seconds=8, jobs=5), "long": Measure(seconds=60, jobs=30)}


@pytest.fixture(scope="session")
def measure(pytestconfig: pytest.Config) -> Measure:
    return MEASURES[pytestconfig.getoption("--chaos")]


@pytest.fixture
def dice(pytestconfig: pytest.Config) -> random.Random:
    """The same in every run with the same `--chaos-seed`."""
    return random.Random(pytestconfig.getoption("--chaos-seed"))


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
