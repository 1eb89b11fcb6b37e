"""The executor as it is started in production."""

import contextlib
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

from tests.integration.executor.conftest import Stage

ROOT = Path(__file__).parents[3]


@contextlib.asynccontextmanager
async def process(stage: Stage, log: Path, **variables: str) -> AsyncIterator["subprocess.Popen[bytes]"]:
    """A process; killed at the end if it still runs."""
    environment = {**os.environ, **stage.environment(**variables), "PYTHONPATH": str(ROOT)}
    with log.open("wb") as output:
        running = subprocess.Popen(  # noqa: ASYNC220  it is started in a millisecond
            [sys.executable, "-m", "rota_executor"], env=environment, stdout=output, stderr=output, cwd=ROOT
        )
    try:
        yield running
    finally:
        running.kill()
        running.wait()
