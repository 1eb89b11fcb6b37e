"""One attempt that this executor holds: from the claim until its outcome is written or it is given up."""

import asyncio
import contextlib
from collections.abc import Iterator
from datetime import datetime
from typing import Literal

from rota_bus import Delivery
from rota_contracts.events import JobCompleted, JobDue
from rota_contracts.values import ModelUsage
from rota_executor.domain import Record
from rota_executor.errors import CancelledRunError, LeaseLostError
from rota_executor.lease import Lease
from rota_executor.repository import AttemptKey


class Attempt:
    """It goes on while its lease does."""

    def __init__(self, delivery: Delivery, lease: Lease, *, started_at: datetime, claimed: float) -> None:
        event = delivery.event
        assert isinstance(event, JobDue)  # the consumer's filter lets nothing else through
        self.event: JobDue = event
        self.delivery = delivery
        self.lease = lease
        self.key = AttemptKey(event.run_id, event.attempt)
        self.started_at = started_at
        self.claimed = claimed
        self.record = Record()
        # What is written of `record.model_usage`.
        self.kept_usage: list[ModelUsage] = []
        self.completed: JobCompleted | None = None
        self.gone: Literal["lease_lost", "released"] | None = None
        # Why a person or the ledger wants the run ended.
        self.stop_reason: str | None = None
        self._is_working = False
        self.task: asyncio.Task[None] | None = None

    def lose(self) -> None:
        """Stops the run at once: the lease cannot be proven any more."""
        self._give_up("lease_lost")

    def hand_over(self) -> None:
        """Stops the run so that another executor may start it anew."""
        self._give_up("released")

    def stop(self, reason: str) -> None:
        """Ends the work; the attempt then ends as cancelled, with the reason."""
        if self.stop_reason is None:
            self.stop_reason = reason
            if self._is_working and self.gone is None and self.task is not None:
                self.task.cancel()

    @contextlib.contextmanager
    def stoppable(self) -> Iterator[None]:
        """What `stop` ends, also when it was called before.

        Raises:
            CancelledRunError: it was ended, with the reason.

        """
        self._is_working = True
        try:
            if self.stop_reason is not None:
                raise CancelledRunError(self.stop_reason)
            yield
        except asyncio.CancelledError:
            if self.stop_reason is None or self.gone is not None or self.task is None:
                raise
            self.task.uncancel()
            raise CancelledRunError(self.stop_reason) from None
        finally:
            self._is_working = False

    async def require_lease(self) -> None:
        """Before anything with an effect.

        Raises:
            LeaseLostError: the attempt was given up, or should have been by now.

        """
        await self.lease.require()
        if self.gone is not None:
            raise LeaseLostError("the run is no longer held by this executor")

    def _give_up(self, why: Literal["lease_lost", "released"]) -> None:
        if self.gone is None:
            self.gone = why
            if self.task is not None:
                self.task.cancel()
