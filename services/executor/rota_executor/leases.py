"""The leases of this executor, proven to PostgreSQL and NATS while it holds attempts.

It claims under one name at a time. When that lease is over, whatever ended it, it takes a new name before
it claims again.
"""

import asyncio
import contextlib
import secrets
from collections.abc import Awaitable, Callable, Sequence
from uuid import UUID

from rota_bus import Bus
from rota_chassis import logs
from rota_chassis.errors import RetryableError
from rota_contracts.events import JobDue
from rota_contracts.presence import executor_name, presence_subject
from rota_executor.attempt import Attempt
from rota_executor.deadline import Proofs, Terms
from rota_executor.errors import LeaseLostError
from rota_executor.lease import Lease
from rota_executor.repository import AttemptKey, Claimed, Repository

log = logs.logger(__name__)

PING_SECONDS = 1.0


class Leases:
    def __init__(self, repository: Repository, bus: Bus, terms: Terms, *, process: str) -> None:
        """`process` begins the names of all its leases."""
        self._repository = repository
        self._bus = bus
        self._terms = terms
        self._process = process
        self._leases: list[Lease] = []
        self._held: dict[AttemptKey, Attempt] = {}
        self._holding = asyncio.Event()

    @property
    def period(self) -> float:
        """How often to look for what is to stop, in seconds."""
        return self._terms.lease / 4

    def hold(self, attempt: Attempt) -> None:
        self._held[attempt.key] = attempt
        attempt.lease.add()
        self._holding.set()

    def drop(self, attempt: Attempt) -> None:
        if self._held.get(attempt.key) is attempt:
            del self._held[attempt.key]
            attempt.lease.remove()
        if not self._held:
            self._holding.clear()

    def held(self) -> list[Attempt]:
        return list(self._held.values())

    @property
    def current(self) -> Lease | None:
        """What is claimed under."""
        return next((lease for lease in self._leases if lease.takes_attempts), None)

    def retire(self, lease: Lease) -> None:
        """Claims nothing more under it: it is over soon after its last attempt has ended."""
        lease.is_retired = True

    async def claim(self, events: Sequence[JobDue]) -> tuple[Lease, dict[AttemptKey, Claimed]]:
        """Claims attempts; those that are to be run now, and the lease that they are held under.

        Raises:
            Exception: PostgreSQL does not answer; what it gave all the same, it gives again when asked again.

        """
        for _ in range(2):
            lease = self.current or await self._enter()
            asked, connection = _now(), self._standing(lease)
            won = await self._repository.claim(lease.executor, events)
            if won is None:
                self._refuse(lease)
            elif not lease.is_lost:
                lease.proofs.on_renewal(asked, connection)
                return lease, {key: claimed for key, claimed in won.items() if key not in self._held}
        raise LeaseLostError("the lease was over before anything could be held under it")

    async def _enter(self) -> Lease:
        """A new lease, under a new name."""
        await self._forget()
        executor = executor_name(self._process, secrets.token_hex(8))
        hearing = await self._bus.listen(presence_subject(executor), _hear)
        try:
            connection = None
            with contextlib.suppress(RetryableError):
                connection = await self._bus.ping(PING_SECONDS)
            asked = _now()
            await self._repository.enter(executor)
        except BaseException:
            await hearing.stop()
            raise
        log.info("a lease begins", action="lease_entered", executor=executor)
        proofs = Proofs(self._terms, asked, connection)
        lease = Lease(executor, proofs, hearing, renew=self._renew_alone, stop=self._stop)
        self._leases.append(lease)
        return lease

    async def _forget(self) -> None:
        """Leases that are claimed under no more and hold nothing."""
        over = [lease for lease in self._leases if not (lease.attempts or lease.takes_attempts)]
        for lease in over:
            self._leases.remove(lease)
            await lease.hearing.stop()

    async def renewing(self) -> None:
        """The loop that proves to PostgreSQL that the executor lives."""
        await self._proving(self.renew, "postgres")

    async def pinging(self) -> None:
        """The loop that proves that NATS would have told if the executor were gone."""
        await self._proving(self.ping, "nats")

    async def _proving(self, prove: Callable[[], Awaitable[object]], witness: str) -> None:
        is_proven = True
        while True:
            await self._holding.wait()
            await asyncio.sleep(self._terms.beat)
            try:
                await prove()
                is_proven = True
            except Exception as error:  # noqa: BLE001  the edge of a loop; what follows, the deadline decides
                if is_proven:
                    log.warning("no sign of life", action="unproven", witness=witness, error=repr(error))
                is_proven = False

    async def renew(self) -> int:
        """Extends the leases under which attempts are held; how many were extended.

        Raises:
            Exception: PostgreSQL does not answer; nothing is known to be extended.

        """
        async with asyncio.timeout(self._terms.lease / 4):
            return await self._renew([one for one in self._leases if one.attempts and not one.is_lost])

    async def ping(self) -> None:
        """Asks NATS whether it is there.

        Raises:
            BusUnavailableError: it is not.

        """
        leases, asked = list(self._leases), _now()
        connection = await self._bus.ping(PING_SECONDS)
        for lease in leases:
            lease.connection = connection
            lease.proofs.on_answer(asked, connection)

    async def _renew_alone(self, lease: Lease) -> None:
        if not await self._renew([lease]):
            raise LeaseLostError("the lease was over")

    async def _renew(self, leases: Sequence[Lease]) -> int:
        if not leases:
            return 0
        asked, connections = _now(), [self._standing(lease) for lease in leases]
        renewed = await self._repository.renew([lease.executor for lease in leases])
        for lease, connection in zip(leases, connections, strict=True):
            if lease.executor in renewed:
                lease.proofs.on_renewal(asked, connection)
            else:
                self._refuse(lease)
        return len(renewed)

    def _standing(self, lease: Lease) -> int | None:
        """The connection on which NATS is known to have the lease's subscription now."""
        return lease.connection if lease.connection == self._bus.connection else None

    def _refuse(self, lease: Lease) -> None:
        """PostgreSQL says that it is over. Of an outcome on its way the write itself decides."""
        lease.is_lost = True
        for attempt in self.held():
            if attempt.lease is lease and attempt.completed is None:
                attempt.lose()

    def _stop(self, lease: Lease) -> None:
        for attempt in self.held():
            if attempt.lease is lease:
                attempt.lose()

    async def leave(self) -> None:
        """Ends the leases under which nothing is held any more: a ticker need not wait for their end."""
        left = [lease.executor for lease in self._leases if not lease.attempts]
        if left:
            await self._repository.leave(left)

    def stop(self, run_id: UUID, reason: str) -> None:
        """Ends the run, if it is here."""
        for attempt in self.held():
            if attempt.event.run_id == run_id:
                attempt.stop(reason)

    async def look_for_stops(self) -> int:
        """Asks the ledger which runs are to stop: a hint may be lost; how many are."""
        keys = [(attempt.event.run_id, attempt.event.scheduled_for) for attempt in self.held()]
        if not keys:
            return 0
        stops = await self._repository.stops(keys)
        for run_id, reason in stops.items():
            self.stop(run_id, reason)
        return len(stops)


async def _hear(_subject: str, _payload: bytes) -> None:
    """That somebody listens is the answer."""


def _now() -> float:
    return asyncio.get_running_loop().time()
