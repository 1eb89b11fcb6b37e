import shutil
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.eventually import eventually
from tests.support.up import RotaUp


@pytest.fixture(scope="package")
async def rota_up() -> AsyncIterator[RotaUp]:
    # Not in pytest's own folder: another pytest may close that to the user PostgreSQL runs as.
    directory = Path(tempfile.mkdtemp(prefix="rota-up-"))
    system = RotaUp(directory)
    try:
        yield system
    finally:
        await system.end()
        shutil.rmtree(directory)


@pytest.fixture
async def up(rota_up: RotaUp) -> RotaUp:
    """The real `rota up` with the embedded model and the demo; started again if a test has stopped it."""
    if not rota_up.running:
        await rota_up.start()
    await eventually(rota_up.ready, seconds=60, what="/readyz")
    return rota_up
