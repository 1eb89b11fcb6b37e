"""The leases of all running attempts, renewed together.

An attempt stops by itself a tenth of the lease before it ends, whatever has become of PostgreSQL.
"""

import asyncio
from uuid import UUID

from rota_executor.attempt import Attempt
from rota_executor.repository import AttemptKey, Repository


class Leases:
    def __init__(self, repository: Repository, *, seconds: float) -> None:
        self._repository = repository
        self._held: dict[AttemptKey, Attempt] = {}
        self._seconds = seconds
        # One for all attempts: a timer of its own would cost each more than its lease.
        self._alarm: asyncio.TimerHandle | None = None

    @property
    def period(self) -> float:
        """How often to renew, in seconds."""
        return self._seconds / 4

    def deadline(self, asked: float) -> float:
        """When an attempt must have stopped whose lease was asked for at `asked`."""
        return asked + self._seconds * 0.9

    def hold(self, attempt: Attempt) -> None:
        self._held[attempt.key] = attempt
        if self._alarm is None:
            self._set_alarm(attempt.deadline)

    def _set_alarm(self, instant: float) -> None:
        self._alarm = asyncio.get_running_loop().call_at(instant, self._lose_overdue)

    def _lose_overdue(self) -> None:
        """Stops attempts whose lease was not renewed in time, and looks again when the next one is due."""
        self._alarm = None
        now = asyncio.get_running_loop().time()
        for attempt in self.held():
            if attempt.deadline <= now:
                attempt.lose()
        if ahead := [attempt.deadline for attempt in self._held.values() if attempt.deadline > now]:
            self._set_alarm(min(ahead))

    def drop(self, attempt: Attempt) -> None:
        if self._held.get(attempt.key) is attempt:
            del self._held[attempt.key]

    def held(self) -> list[Attempt]:
        return list(self._held.values())

    async def renew(self) -> int:
        """Extends every lease and tells NATS that the deliveries are worked on; how many were extended.

        Raises:
            Exception: PostgreSQL does not answer; nothing was extended.

        """
        attempts = self.held()
        if not attempts:
            return 0
        for attempt in attempts:
            await attempt.delivery.in_progress()
        asked = asyncio.get_running_loop().time()
        async with asyncio.timeout(self.period):
            renewed = await self._repository.renew([attempt.key for attempt in attempts])
        for attempt in attempts:
            if attempt.key in renewed:
                attempt.deadline = self.deadline(asked)
            elif attempt.completed is None:
                attempt.lose()
            # With the outcome on its way, the write of the outcome itself decides.
        return len(renewed)

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
