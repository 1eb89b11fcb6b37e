"""Wiring of the ticker: connections, the clock's loop, completions."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import timedelta

from rota_bus import connected, serve
from rota_chassis import logs
from rota_chassis.lifecycle import Lifetime, health_served, periodically
from rota_contracts.streams import DEAD_LETTERS, JOBS, RUNS, TICKER_COMPLETIONS
from rota_store import is_transient, opened
from rota_ticker.handlers import Ticker
from rota_ticker.lookahead import AHEAD
from rota_ticker.presence import Presence, watch
from rota_ticker.settings import TickerSettings

log = logs.logger(__name__)


@contextlib.asynccontextmanager
async def wiring(settings: TickerSettings, lifetime: Lifetime) -> AsyncIterator[None]:
    async with (
        health_served(settings, lifetime),
        opened(settings, lifetime, "ticker") as database,
        connected(settings, lifetime, "ticker") as bus,
    ):
        await bus.ensure([JOBS, RUNS, DEAD_LETTERS], [TICKER_COMPLETIONS])
        ticker = Ticker(
            database,
            bus,
            batch_size=settings.batch_size,
            redispatch_seconds=settings.redispatch_seconds,
            ledger_retention=timedelta(days=settings.ledger_retention_days),
        )

        async def wake(_subject: str, _payload: bytes) -> None:
            ticker.wake.set()

        await bus.listen("job.changed.*.*", wake)
        await bus.listen("run.requested.*.*", wake)
        await bus.listen("run.cancel.*.*", wake)
        await bus.listen("approval.decided.*.*", wake)
        completions = await bus.subscribe(TICKER_COMPLETIONS)
        serving = lifetime.spawn(
            serve(completions, ticker.on_completed, is_transient=is_transient), "completions"
        )
        lifetime.spawn(keep_time(ticker, settings.poll_seconds, lifetime.stopping), "clock")
        lease_over = asyncio.Event()
        lifetime.spawn(
            keep_reconciled(ticker, settings.reconcile_seconds, lease_over, lifetime.stopping), "reconcile"
        )
        watching = lifetime.spawn(
            watch(Presence(database, bus), attempts_out=ticker.attempts_out, lease_over=lease_over.set),
            "presence",
        )
        lifetime.spawn(
            periodically(
                ticker.resume_expired,
                seconds=EXPIRY_SECONDS,
                stopping=lifetime.stopping,
                name="expiry",
            ),
            "expiry",
        )
        lifetime.spawn(
            periodically(ticker.keep_months, seconds=3600, stopping=lifetime.stopping, name="months"),
            "months",
        )
        yield
        watching.cancel()
        await completions.stop()
        await serving


# How often it is looked for what nobody decided upon in time.
EXPIRY_SECONDS = 10
# When another ticker holds what is due.
CONTENTION_SECONDS = 0.005


async def keep_time(ticker: Ticker, poll_seconds: float, stopping: asyncio.Event) -> None:
    """Fires what is due, then sleeps until a moment before the next due instant, a hint or the poll."""
    while not stopping.is_set():
        ticker.wake.clear()
        try:
            patience = await work(ticker, poll_seconds)
        except Exception as error:  # noqa: BLE001  the edge of the loop: told, then tried again
            log.warning("the clock stumbled", action="clock_failed", error=repr(error))
            patience = min(1.0, poll_seconds)
        await _sleep(patience, ticker.wake, stopping)


async def keep_reconciled(
    ticker: Ticker, seconds: float, lease_over: asyncio.Event, stopping: asyncio.Event
) -> None:
    """Reconciles every so often, and at once when a lease is over."""
    while not stopping.is_set():
        lease_over.clear()
        try:
            await ticker.reconcile()
        except Exception as error:  # noqa: BLE001  the edge of the loop: told, then tried again
            log.warning("nothing was reconciled", action="reconcile_failed", error=repr(error))
        await _sleep(seconds, lease_over, stopping)


async def work(ticker: Ticker, at_most: float) -> float:
    """Does what there is to do, what is due first; how long there is nothing more."""
    fired = await ticker.fire()
    glance = await ticker.look()
    did = fired
    if glance.has_changes:
        did += await ticker.plan()
    if glance.has_requests:
        did += await ticker.take_requests()
    if glance.has_cancellations:
        did += await ticker.take_cancellations()
    if glance.has_resumptions:
        did += await ticker.take_resumptions()
    if glance.is_waiting:
        did += await ticker.admit_waiting()
    if did > fired:
        return 0
    if glance.patience is None:
        return at_most
    until_due = glance.patience.total_seconds()
    if until_due <= 0:
        return 0 if did else CONTENTION_SECONDS
    ahead = AHEAD.total_seconds()
    if until_due > ahead:
        return min(at_most, until_due - ahead)
    return 0 if await ticker.fire_ahead() else until_due


async def _sleep(seconds: float, wake: asyncio.Event, stopping: asyncio.Event) -> None:
    """Until the time is over, somebody wakes the ticker, or the service stops."""
    waits = [asyncio.create_task(wake.wait()), asyncio.create_task(stopping.wait())]
    try:
        await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
        await asyncio.gather(*waits, return_exceptions=True)
