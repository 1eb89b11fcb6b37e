"""The life of a service process."""

import json
import os
import subprocess
import sys

LIFE = """
import asyncio, contextlib, gc, json, signal, os
from rota_chassis import lifecycle, logs
from rota_chassis.settings import ServiceSettings

log = logs.logger("test")

@contextlib.asynccontextmanager
async def wiring(settings, lifetime):
    async def look():
        while not lifetime.started:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.01)
        loop = type(asyncio.get_running_loop()).__module__
        log.info("looked", action="looked", frozen=gc.get_freeze_count(), loop=loop)
        os.kill(os.getpid(), signal.SIGTERM)
    lifetime.spawn(look(), "look")
    yield

lifecycle.main("ticker", ServiceSettings, wiring)
"""


def test_a_service_starts_works_and_stops_at_a_signal() -> None:
    environment = {**os.environ, "ROTA_POSTGRES_URL": "postgresql://nobody@localhost/none"}
    done = subprocess.run(
        [sys.executable, "-c", LIFE], env=environment, capture_output=True, text=True, timeout=30, check=True
    )
    started, looked, draining, stopped = map(json.loads, done.stdout.splitlines())
    actions = [line["action"] for line in (started, looked, draining, stopped)]
    assert actions == ["started", "looked", "draining", "stopped"]
    assert looked["frozen"] > 10_000  # the start is out of the collector's sight
    assert sys.platform == "win32" or looked["loop"].startswith("uvloop")
