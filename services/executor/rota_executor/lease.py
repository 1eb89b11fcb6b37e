"""One lease of this executor: a name in the table of executors, under which it holds attempts."""

import asyncio
from collections.abc import Awaitable, Callable

from rota_bus import Hearing
from rota_chassis import logs
from rota_executor.deadline import Proofs
from rota_executor.errors import LeaseLostError

log = logs.logger(__name__)


class Lease:
    """What is held under it stops together when it cannot be proven any more; it is never regained."""

    def __init__(
        self,
        executor: str,
        proofs: Proofs,
        hearing: Hearing,
        *,
        renew: Callable[["Lease"], Awaitable[None]],
        stop: Callable[["Lease"], None],
    ) -> None:
        """`renew` raises unless PostgreSQL extended it; `stop` ends what is held under it, at once."""
        self.executor = executor
        self.proofs = proofs
        self.hearing = hearing
        # The connection to NATS on which the hearing was proven last.
        self.connection = proofs.connection
        self.attempts = 0
        self.is_lost = False
        # Nothing more is claimed under this name.
        self.is_retired = False
        self._renew = renew
        self._stop = stop
        # One for all attempts: a timer of its own would cost each more than its run.
        self._alarm: asyncio.TimerHandle | None = None
        self._asking: asyncio.Task[None] | None = None

    @property
    def takes_attempts(self) -> bool:
        return not (self.is_lost or self.is_retired) and _now() < self.proofs.lease_end

    def add(self) -> None:
        """One more attempt is held under it."""
        self.attempts += 1
        self._watch()

    def remove(self) -> None:
        """One attempt less."""
        self.attempts -= 1

    async def require(self) -> None:
        """Before anything with an effect.

        Raises:
            LeaseLostError: what is held under it was given up.

        """
        self._judge()
        if self._asking:
            await asyncio.wait([self._asking])
        if self.is_lost:
            raise LeaseLostError("the run is no longer held by this executor")

    def lose(self) -> None:
        self.is_lost = True
        self._stop(self)

    def _watch(self) -> None:
        if self._alarm is None and self._asking is None and self.attempts and not self.is_lost:
            self._alarm = asyncio.get_running_loop().call_at(self.proofs.deadline, self._on_alarm)

    def _on_alarm(self) -> None:
        self._alarm = None
        if self.attempts:
            self._judge()
        self._watch()

    def _judge(self) -> None:
        """Loses what should have stopped by now, unless PostgreSQL, asked once more, extends it."""
        now = _now()
        if self.is_lost or self._asking or now < self.proofs.deadline:
            return
        if seconds := self.proofs.time_to_ask(now):
            log.warning("nothing was proven in time", action="lease_asked", executor=self.executor)
            self._asking = asyncio.create_task(self._ask(seconds), name="lease")
        else:
            log.warning("the lease cannot be proven", action="lease_unproven", executor=self.executor)
            self.lose()

    async def _ask(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._renew(self)
        except Exception as error:  # noqa: BLE001  whatever it is, the lease is not proven
            log.warning("nobody answered", action="lease_unproven", executor=self.executor, error=repr(error))
            self.lose()
        finally:
            self._asking = None
            self._watch()


def _now() -> float:
    return asyncio.get_running_loop().time()
