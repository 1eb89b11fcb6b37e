"""What a caller is told while the things that the gateway needs are away, and how it stops."""

import asyncio
import contextlib
import dataclasses
import json
import os
import signal
import sys

import httpx2

from rota_chassis.health import serving
from rota_gateway import application, readiness
from rota_store import Database
from tests.integration.gateway.conftest import Person, Served
from tests.support.world import World


async def test_without_postgresql_the_answer_is_a_problem_that_says_when_to_come_back(
    served: Served, person: Person
) -> None:
    # A port where nobody listens: what a stopped server looks like from here.
    async with serving(lambda *_: None, "127.0.0.1", 0) as free:
        pass
    database = Database(f"postgresql://rota_gateway:x@127.0.0.1:{free}/rota", application="gateway")
    gateway = dataclasses.replace(served.gateway, database=database)
    app = application.build(gateway, readiness.checks(database, gateway.bus, {}))
    async with serving(app, "127.0.0.1", 0) as port, httpx2.AsyncClient(trust_env=False) as client:
        url = f"http://127.0.0.1:{port}"
        answer = await client.get(f"{url}/api/v1/jobs", headers={"Authorization": f"Bearer {person.key}"})
        assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")
        assert int(answer.headers["retry-after"]) > 0
        assert "Traceback" not in answer.text
        page = await client.get(url, headers={"Cookie": "rota_session=x"})
        assert (page.status_code, "Service Unavailable" in page.text) == (503, True)
        ready = await client.get(f"{url}/readyz")
        assert (ready.status_code, list(ready.json()["problems"])) == (503, ["postgresql"])
    await database.close()


async def test_the_gateway_is_ready_only_when_the_services_are(served: Served, world: World) -> None:
    checks = readiness.checks(served.gateway.database, served.gateway.bus, {"self": served.url})
    await checks["self"]()
    await served.gateway.bus.close()
    with contextlib.suppress(readiness.NotReadyError):
        await checks["self"]()
        raise AssertionError("a service that is not ready passed for one that is")


async def test_the_process_serves_and_stops_on_sigterm_while_a_stream_is_open(
    world: World, served: Served, person: Person
) -> None:
    environment = {**os.environ, **world.environment("gateway")}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "rota_gateway", env=environment, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    async with asyncio.timeout(30):
        port = None
        while port is None:
            line = json.loads(await process.stdout.readline())
            port = line.get("port")
        client = await served.client(headers={"Authorization": f"Bearer {person.key}"})
        async with client.stream("GET", f"http://127.0.0.1:{port}/api/v1/events") as stream:
            lines = stream.aiter_lines()
            await anext(lines)
            process.send_signal(signal.SIGTERM)
            assert [line async for line in lines if line.startswith("data")] == []
        rest = await process.stdout.read()
        assert await process.wait() == 0
    assert json.loads(rest.splitlines()[-1])["action"] == "stopped"
