"""One shape for every service: start, run until a signal or a failure, stop in reverse order.

SIGTERM and SIGINT set `stopping`; the wiring then drains what it holds and returns. A loop that
ends by an exception ends the process with status 1, so that whoever supervises it sees it.
"""

import asyncio
import contextlib
import gc
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from typing import Any

from rota_chassis import logs
from rota_chassis.health import Check, health_app, serving
from rota_chassis.settings import Settings, load

log = logs.logger(__name__)


class Lifetime:
    """What a service shares with its process: when to stop, what must be ready, which loops run."""

    def __init__(self) -> None:
        self.stopping = asyncio.Event()
        self.started = False
        self.checks: dict[str, Check] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._failure: BaseException | None = None

    def spawn(self, work: Coroutine[Any, Any, Any], name: str) -> asyncio.Task[Any]:
        """Runs a loop for the life of the service; its failure ends the service."""
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if task.cancelled() or (error := task.exception()) is None:
            return
        log.error("a loop failed", action="loop_failed", loop=task.get_name(), exc_info=error)
        self.fail(error)

    def fail(self, error: BaseException) -> None:
        """Ends the service: it cannot go on, and whoever supervises it must start it anew."""
        self._failure = self._failure or error
        self.stopping.set()

    async def cancel(self) -> None:
        """Ends the loops that still run and waits for them."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure


Wiring = Callable[[Settings, Lifetime], AbstractAsyncContextManager[None]]


def main(service: str, settings: type[Settings], wiring: Wiring[Settings]) -> None:
    """The whole life of a service process; does not return before it ended."""
    values = load(settings)
    logs.configure(service, level=values.log_level, style=values.log_format)
    try:
        run_loop(run(service, values, wiring))
    except Exception as error:
        log.exception("the service failed", action="failed", error=str(error))
        sys.exit(1)


async def run(service: str, settings: Settings, wiring: Wiring[Settings]) -> None:
    """Starts the wiring, serves health, waits for the end, drains."""
    lifetime = Lifetime()
    starting = asyncio.create_task(_live(settings, wiring, lifetime))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _on_signal, lifetime, starting)
    with contextlib.suppress(asyncio.CancelledError):
        await starting
    lifetime.raise_failure()
    log.info("stopped", action="stopped", service=service)


async def _live(settings: Settings, wiring: Wiring[Settings], lifetime: Lifetime) -> None:
    try:
        async with wiring(settings, lifetime):
            lifetime.started = True
            _spare_the_collector()
            log.info("started", action="started")
            await lifetime.stopping.wait()
            log.info("draining", action="draining")
    finally:
        await lifetime.cancel()


def _spare_the_collector() -> None:
    """What the start made stays, and need not be looked at again with each full collection.

    With the packages of the executor that took 80 ms each time, during which nothing else happened;
    and batches of a thousand events made a collection of the young every few milliseconds.
    """
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


def _on_signal(lifetime: Lifetime, life: asyncio.Task[None]) -> None:
    """Before the start is complete there is nothing to drain."""
    lifetime.stopping.set()
    if not lifetime.started:
        life.cancel()


@contextlib.asynccontextmanager
async def health_served(settings: Settings, lifetime: Lifetime) -> AsyncIterator[None]:
    """Serves /livez, /readyz and /metrics while the block runs."""
    async with serving(health_app(lifetime.checks), settings.http_host, settings.http_port) as port:
        log.info("health is served", action="health_served", host=settings.http_host, port=port)
        yield


def run_loop(work: Coroutine[Any, Any, None]) -> None:
    try:
        import uvloop  # noqa: PLC0415  absent on Windows
    except ImportError:
        asyncio.run(work)
    else:
        uvloop.run(work)


async def periodically(
    work: Callable[[], Awaitable[object]], *, seconds: float, stopping: asyncio.Event, name: str
) -> None:
    """Calls `work` every `seconds` until `stopping`; a call that fails is logged and the next one comes."""

    async def then_wait() -> float:
        await work()
        return seconds

    await repeatedly(then_wait, after_failure=seconds, stopping=stopping, name=name)


async def repeatedly(
    work: Callable[[], Awaitable[float]], *, after_failure: float, stopping: asyncio.Event, name: str
) -> None:
    """Calls `work`, which says how many seconds to wait for the next call, until `stopping`.

    A call that fails is logged, and the next one comes `after_failure` seconds later.
    """
    while not stopping.is_set():
        try:
            patience = await work()
        except Exception as error:  # noqa: BLE001  the edge of a loop
            log.warning("a periodic task failed", action="periodic_failed", task=name, error=repr(error))
            patience = after_failure
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stopping.wait(), patience)
