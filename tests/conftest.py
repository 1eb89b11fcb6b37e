"""Real servers for every test: one NATS and one PostgreSQL per session, a fresh world per test."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.support.servers import Servers
from tests.support.world import World

# The same examples in every run; `--hypothesis-profile=default` looks for new ones.
settings.register_profile("deterministic", derandomize=True, deadline=None, database=None)
settings.load_profile("deterministic")


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """nats-server and PostgreSQL, started from the wheels; the schema migrated into a template."""
    with Servers(Path(tmp_path_factory.mktemp("servers"))) as running:
        yield running


@pytest.fixture
async def world(servers: Servers) -> AsyncIterator[World]:
    """A fresh migrated database and empty streams."""
    async with World.created(servers) as fresh:
        yield fresh
