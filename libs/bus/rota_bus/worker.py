"""The loop of a service that handles events in batches."""

from collections.abc import Awaitable, Callable
from typing import Any

from rota_bus.subscription import Delivery, Subscription
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
    async for batch in subscription.batches():
        await settle(batch, handle, is_transient)


async def settle(
    batch: list[Delivery], handle: Handler, is_transient: Callable[[BaseException], bool]
) -> None:
    try:
        await handle([delivery.event for delivery in batch])
    except Exception as error:  # noqa: BLE001  the edge of the loop: decided upon below
        await _recover(batch, handle, is_transient, error)
    else:
        for delivery in batch:
            await delivery.ack()


async def _recover(
    batch: list[Delivery],
    handle: Handler,
    is_transient: Callable[[BaseException], bool],
    error: Exception,
) -> None:
    if is_transient(error):
        log.warning("a batch waits", action="batch_waits", events=len(batch), error=repr(error))
        for delivery in batch:
            await delivery.nak(min(delivery.deliveries, 5))
    elif len(batch) > 1:
        log.warning("a batch failed", action="batch_failed", events=len(batch), error=repr(error))
        for delivery in batch:
            await settle([delivery], handle, is_transient)
    elif batch[0].deliveries >= batch[0].max_failures:
        await batch[0].dead(f"handling failed {batch[0].deliveries} times: {error!r}")
    else:
        log.warning(
            "an event failed", action="event_failed", event_id=batch[0].event.message_id, error=repr(error)
        )
        await batch[0].nak(1)
