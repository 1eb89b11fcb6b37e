"""One attempt that this executor holds: from the claim until its outcome is written or it is given up."""

import asyncio
from datetime import datetime
from typing import Literal

from rota_bus import Delivery
from rota_contracts.events import JobCompleted, JobDue
from rota_executor.domain import Record
from rota_executor.errors import LeaseLostError
from rota_executor.repository import AttemptKey


class Attempt:
    """By `deadline`, on the clock of the event loop, it stops unless the lease is renewed before."""

    def __init__(self, delivery: Delivery, *, started_at: datetime, claimed: float, deadline: float) -> None:
        event = delivery.event
        assert isinstance(event, JobDue)  # the consumer's filter lets nothing else through
        self.event: JobDue = event
        self.delivery = delivery
        self.key = AttemptKey(event.run_id, event.attempt)
        self.started_at = started_at
        self.claimed = claimed
        self.record = Record()
        self.completed: JobCompleted | None = None
        self.gone: Literal["lease_lost", "released"] | None = None
        self.task: asyncio.Task[None] | None = None
        self._timer = asyncio.get_running_loop().call_at(deadline, self.lose)

    def extend(self, deadline: float) -> None:
        self._timer.cancel()
        if self.gone is None:
            self._timer = asyncio.get_running_loop().call_at(deadline, self.lose)

    def lose(self) -> None:
        """Stops the run at once: the lease cannot be proven any more."""
        self._give_up("lease_lost")

    def hand_over(self) -> None:
        """Stops the run so that another executor may start it anew."""
        self._give_up("released")

    def close(self) -> None:
        self._timer.cancel()

    def require_lease(self) -> None:
        """Before anything with an effect.

        Raises:
            LeaseLostError: the attempt was given up, or should have been by now.

        """
        if self.gone is not None or asyncio.get_running_loop().time() >= self._timer.when():
            raise LeaseLostError("the run is no longer held by this executor")

    def _give_up(self, why: Literal["lease_lost", "released"]) -> None:
        self._timer.cancel()
        if self.gone is None:
            self.gone = why
            if self.task is not None:
                self.task.cancel()
