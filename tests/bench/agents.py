"""Runs of agents: how many one executor carries while their models think, and what Rota adds to a run."""

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import httpx2
from rich.console import Console

from tests.bench.load import all_done, make_due
from tests.bench.sizes import cpu_seconds, sizes
from tests.support.eventually import eventually
from tests.support.system import System

console = Console()
WAITING = 500
WAIT_SECONDS = 30
RUNS = 500
WARMING = 100


def environment(port: int) -> dict[str, Any]:
    """What the executor is told of the model."""
    return {"OPENAI_BASE_URL": f"http://127.0.0.1:{port}/v1", "OPENAI_API_KEY": "none"}


async def agents(system: System) -> None:
    """Five hundred runs whose models think, in one executor; and what Rota adds to a run."""
    port = int(httpx2.URL(system.environment("executor")["OPENAI_BASE_URL"]).port or 0)
    async with _model(port) as model:
        await _waiting(system, model)
        await _overhead(system, port)


async def _waiting(system: System, model: httpx2.AsyncClient) -> None:
    made = await _due(system, f"wait-{WAIT_SECONDS}", WAITING)

    async def all_wait() -> bool:
        return bool((await model.get("/waiting")).json() == WAITING)

    await eventually(all_wait, seconds=WAIT_SECONDS, what=f"{WAITING} runs that wait", every=0.2)
    memory = sizes(system)["executor"].memory_mib
    console.print(f"{WAITING} runs wait for their model at once: the executor takes {memory:.0f} MiB")
    await all_done(system, made, WAITING)


async def _overhead(system: System, port: int) -> None:
    await all_done(system, await _due(system, "wait-0", WARMING), WARMING)
    before = cpu_seconds(system)
    await all_done(system, await _due(system, "wait-0", RUNS), RUNS)
    whole = (cpu_seconds(system) - before) / RUNS * 1000
    command = [sys.executable, "-m", "tests.bench.bare", f"http://127.0.0.1:{port}/v1", str(RUNS)]
    bare = float((await asyncio.to_thread(subprocess.check_output, command, text=True)).strip())
    console.print(
        f"CPU of a run with a model: {whole:.1f} ms with Rota and both servers, {bare:.1f} ms without; "
        f"Rota adds {whole - bare:.1f} ms, {whole / bare:.1f} times"
    )


async def _due(system: System, model: str, count: int) -> list[UUID]:
    """Jobs of an agent on that model, due in a moment; their contexts."""
    made = [await system.many_jobs(count, model=f"openai:{model}", prompt="Do it.", at_once=1000)]
    await make_due(system, made)
    return made


@contextlib.asynccontextmanager
async def _model(port: int) -> AsyncIterator[httpx2.AsyncClient]:
    server = await asyncio.create_subprocess_exec(sys.executable, "-m", "tests.bench.model_server", str(port))
    try:
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=10) as client:

            async def answers() -> bool:
                with contextlib.suppress(httpx2.TransportError):
                    return (await client.get("/waiting")).is_success
                return False

            await eventually(answers, what="the model")
            yield client
    finally:
        server.kill()
        await server.wait()
