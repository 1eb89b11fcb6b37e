"""The loop of a service that handles events in batches."""

from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

from rota_bus.subscription import Delivery, Subscription, ack_all
from rota_chassis import logs

log = logs.logger(__name__)

Handler = Callable[[list[Any]], Awaitable[object]]


async def serve(
    subscription: Subscription, handle: Handler, *, is_transient: Callable[[BaseException], bool]
) -> None:
    """Hands each batch of events to `handle` and settles it, until the subscription is stopped.

    A batch that fails is taken one by one. Trouble that is transient (the database is away) never
    counts against a message; any other failure does, and the last one makes it a dead letter.
    """
    worker = _Worker(handle, is_transient)
    async for batch in subscription.batches():
        await worker.settle(batch)


class _Worker:
    def __init__(self, handle: Handler, is_transient: Callable[[BaseException], bool]) -> None:
        self._handle = handle
        self._is_transient = is_transient
        # Failures of an event's own, by its id; the server counts transient trouble as well.
        self._failures: Counter[str] = Counter()

    async def settle(self, batch: list[Delivery]) -> None:
        try:
            await self._handle([delivery.event for delivery in batch])
        except Exception as error:  # noqa: BLE001  the edge of the loop: decided upon below
            await self._recover(batch, error)
        else:
            await ack_all(batch)
            if self._failures:
                for delivery in batch:
                    self._failures.pop(delivery.event.message_id, None)

    async def _recover(self, batch: list[Delivery], error: Exception) -> None:
        if self._is_transient(error):
            log.warning("a batch waits", action="batch_waits", events=len(batch), error=repr(error))
            for delivery in batch:
                await delivery.nak(min(delivery.deliveries, 5))
        elif len(batch) > 1:
            log.warning("a batch failed", action="batch_failed", events=len(batch), error=repr(error))
            for delivery in batch:
                await self.settle([delivery])
        else:
            await self._blame(batch[0], error)

    async def _blame(self, delivery: Delivery, error: Exception) -> None:
        name = delivery.event.message_id
        self._failures[name] += 1
        if self._failures[name] >= delivery.max_failures:
            await delivery.dead(f"handling failed {self._failures.pop(name)} times: {error!r}")
        else:
            log.warning("an event failed", action="event_failed", event_id=name, error=repr(error))
            await delivery.nak(1)
