"""Real servers for every test: one NATS and one PostgreSQL per session, a fresh world per test."""

import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.support.servers import Servers
from tests.support.world import World

# The same examples in every run; `--hypothesis-profile=default` looks for new ones.
settings.register_profile("deterministic", derandomize=True, deadline=None, database=None)
settings.load_profile("deterministic")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--containers", action="store_true", help="use the official images of NATS and PostgreSQL"
    )
    parser.addoption(
        "--chaos", choices=("short", "long"), default="short", help="how much tests/chaos does to the system"
    )
    parser.addoption("--chaos-seed", type=int, default=1, help="which processes are killed, and when")


def pytest_report_header(config: pytest.Config) -> str:
    return f"chaos: {config.getoption('--chaos')}, seed {config.getoption('--chaos-seed')}"


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--containers"):
        from tests.support.containers import why_not

        if reason := why_not():
            raise pytest.UsageError(reason)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Spreads the files of tests/chaos over the first two thirds of the others.

    Each runs nine processes and mostly waits. Two at a time are in each other's way, and one that begins when
    the others are done keeps everybody waiting.
    """
    files: dict[Path, list[pytest.Item]] = {}
    for item in items:
        files.setdefault(item.path, []).append(item)
    chaos = [file for file in files if file.parent.name == "chaos"]
    others = [file for file in files if file.parent.name != "chaos"]
    places = {file: (number + 1) / (1.5 * len(chaos)) for number, file in enumerate(chaos)}
    places |= {file: number / max(1, len(others)) for number, file in enumerate(others)}
    items[:] = [item for file in sorted(files, key=places.__getitem__) for item in files[file]]


@pytest.fixture(scope="session")
def servers(pytestconfig: pytest.Config) -> Iterator[Servers]:
    """NATS and PostgreSQL, started from the wheels or as containers; the schema migrated into a template."""
    # Not in pytest's own folder: another pytest may close that to the user PostgreSQL runs as.
    directory = Path(tempfile.mkdtemp(prefix="rota-tests-"))
    try:
        with Servers(directory, containers=pytestconfig.getoption("--containers")) as running:
            yield running
    finally:
        shutil.rmtree(directory)


@pytest.fixture
async def world(servers: Servers) -> AsyncIterator[World]:
    """A fresh migrated database and empty streams."""
    async with World.created(servers) as fresh:
        yield fresh
