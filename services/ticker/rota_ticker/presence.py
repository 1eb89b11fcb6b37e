"""Watches the executors that hold attempts: who is gone gets notice long before its lease is over.

A process that is killed is known to NATS at once: the server finds nobody subscribed to its subject. That
an answer is missing says nothing: a process that stands still is subscribed all the same. And the absence
is no proof of death, only a reason to ask for another proof: notice shortens the lease so far that an
executor that lives and reaches PostgreSQL renews it in time, and one that reaches neither has stopped.
"""

import asyncio
from collections.abc import Callable
from datetime import timedelta

from rota_bus import Bus
from rota_chassis import logs
from rota_chassis.errors import RetryableError
from rota_contracts.presence import GONE, presence_subject
from rota_store import Database
from rota_ticker.repository import executors
from rota_ticker.repository.executors import Lease

log = logs.logger(__name__)

ASK_SECONDS = 0.5
ANSWER_SECONDS = 1.0
NOTHING = timedelta(0)


class Presence:
    def __init__(self, database: Database, bus: Bus) -> None:
        self._database = database
        self._bus = bus
        self._held: set[str] = set()

    async def look(self) -> timedelta | None:
        """Gives notice to who is absent; how long no lease is over, None when nobody holds one."""
        # What is renewed after this is not shortened, whatever NATS says of the moment before.
        held = await executors.leases(self._database)
        if absent := await self._absent([lease for lease in held if lease.left > NOTHING]):
            for executor in await executors.give_notice(self._database, absent):
                log.warning("an executor is gone", action="notice_given", executor=executor)
                self._bus.signal(GONE)
            held = await executors.leases(self._database)
        before, self._held = self._held, {lease.executor for lease in held}
        if before - self._held:  # handed over, or ended by a ticker
            return NOTHING
        return min((lease.left for lease in held), default=None)

    async def _absent(self, leases: list[Lease]) -> list[Lease]:
        if not leases:
            return []
        subjects = [presence_subject(lease.executor) for lease in leases]
        try:
            absent = await self._bus.absent(subjects, ANSWER_SECONDS)
        except RetryableError as error:  # NATS is away from here: nothing is known
            log.info("nobody knows who is there", action="presence_unknown", error=str(error))
            return []
        return [lease for lease, subject in zip(leases, subjects, strict=True) if subject in absent]


async def watch(presence: Presence, *, attempts_out: asyncio.Event, lease_over: Callable[[], None]) -> None:
    """Looks twice a second while attempts are out, and says at once when a lease is over."""
    while True:
        await attempts_out.wait()
        attempts_out.clear()
        patience: timedelta | None = NOTHING  # what was just dispatched is not taken yet
        while patience is not None:
            seconds = patience.total_seconds()
            await asyncio.sleep(min(ASK_SECONDS, seconds) if seconds > 0 else ASK_SECONDS)
            try:
                patience = await presence.look()
            except Exception as error:  # noqa: BLE001  the edge of the loop: told, then tried again
                log.warning("nobody looked who is there", action="presence_failed", error=repr(error))
                patience = NOTHING
                continue
            if patience is not None and patience <= NOTHING:
                lease_over()
