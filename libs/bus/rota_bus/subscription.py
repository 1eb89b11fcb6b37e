"""A continuous pull from a durable consumer.

The client library's own fetch loses requests when the server restarts and stalls after a timeout,
so this asks by itself: one or two requests are outstanding, heartbeats tell when one was lost.
"""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription as NatsSubscription
from nats.errors import Error as NatsError

from rota_bus import publishing
from rota_chassis import logs
from rota_contracts.codec import MalformedEventError, Message, decode
from rota_contracts.events import Event
from rota_contracts.streams import Consumer

log = logs.logger(__name__)

EXPIRES_SECONDS = 30.0
HEARTBEAT_SECONDS = 5.0
MAX_BATCH = 500


@dataclass(eq=False)
class Delivery:
    """One event as it arrived; it occupies a slot of its subscription until it is settled."""

    event: Event
    message: Msg
    deliveries: int
    _subscription: "Subscription"
    settled: bool = field(default=False)

    @property
    def max_failures(self) -> int:
        """How often handling may fail before the event is a dead letter."""
        return self._subscription.consumer.max_failures

    async def ack(self) -> None:
        """It is done."""
        await self._settle(b"+ACK")

    async def nak(self, seconds: float = 0) -> None:
        """It is to come again, after `seconds`."""
        await self._settle(b'-NAK {"delay": %d}' % int(seconds * 1e9))

    async def in_progress(self) -> None:
        """It is still being worked on; the time until redelivery starts anew."""
        await self._subscription.reply(self.message, b"+WPI")

    async def dead(self, reason: str) -> None:
        """It can never be handled: kept among the dead letters, not delivered again."""
        if await self._subscription.bury(self.message, reason):
            await self._settle(b"+TERM")
        else:
            await self.nak(5)

    async def _settle(self, answer: bytes) -> None:
        if self.settled:
            return
        self.settled = True
        await self._subscription.reply(self.message, answer)
        await self._subscription.release()


class Subscription:
    """Yields what has arrived, in batches; `slots` bounds what is unsettled."""

    def __init__(
        self, client: Client, consumer: Consumer, service: str, slots: int, restore: Callable[[], None]
    ) -> None:
        self.consumer = consumer
        self._client = client
        self._service = service
        self._slots = slots
        self._restore = restore
        self._next = f"$JS.API.CONSUMER.MSG.NEXT.{consumer.stream.name}.{consumer.durable}"
        self._arrived: asyncio.Queue[Msg | None] = asyncio.Queue()
        self._busy = 0  # arrived, not settled
        self._asked = 0  # requested, not arrived
        self._heard = time.monotonic()
        self._stopping = False
        self._inbox = ""
        self._inbox_subscription: NatsSubscription | None = None
        self._watching: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._inbox = self._client.new_inbox()
        # Unlimited on the client's side: it never holds more than was asked for.
        self._inbox_subscription = await self._client.subscribe(
            self._inbox, cb=self._on_message, pending_msgs_limit=-1, pending_bytes_limit=-1
        )
        self._watching = asyncio.create_task(self._watch(), name=f"watch-{self.consumer.durable}")
        await self._ask()

    async def batches(self) -> AsyncIterator[list[Delivery]]:
        """All that has arrived, at least one delivery each time, until `stop`."""
        while (message := await self._arrived.get()) is not None:
            messages = [message]
            while len(messages) < MAX_BATCH and not self._arrived.empty():
                if (more := self._arrived.get_nowait()) is None:
                    self._arrived.put_nowait(None)
                    break
                messages.append(more)
            if batch := [delivery for one in messages if (delivery := await self._open(one))]:
                yield batch

    async def renew(self) -> None:
        """Asks again after a reconnect; what was asked before is forgotten by the server."""
        self._asked = 0
        await self._ask()

    async def release(self) -> None:
        self._busy -= 1
        await self._ask()

    async def reply(self, message: Msg, answer: bytes) -> None:
        with contextlib.suppress(NatsError, OSError):  # unsettled, it is delivered again
            await self._client.publish(message.reply, answer)

    async def bury(self, message: Msg, reason: str) -> bool:
        """Keeps the message and the reason among the dead letters; False when that fails now."""
        metadata = message.metadata
        # Not those that would tell the server what to do with the letter.
        kept = {
            name: value for name, value in (message.headers or {}).items() if not name.startswith("Nats-")
        }
        headers = {
            **kept,
            "Nats-Msg-Id": f"{metadata.stream}/{metadata.sequence.stream}/{self.consumer.durable}",
            "rota-reason": " ".join(reason.split())[:1000],
            "rota-subject": message.subject,
            "rota-consumer": self.consumer.durable,
            "rota-stream-sequence": str(metadata.sequence.stream),
        }
        log.error(
            "a message is dead",
            action="dead_letter",
            reason=reason,
            subject=message.subject,
            consumer=self.consumer.durable,
            sequence=metadata.sequence.stream,
        )
        letter = Message(f"dead.{self._service}", message.data, headers)
        try:
            await publishing.publish(self._client, [letter])
        except Exception as error:  # noqa: BLE001  whatever it is, the message must come again
            log.warning("a dead letter was not kept", action="dead_letter_failed", error=repr(error))
            return False
        return True

    async def stop(self) -> None:
        """Stops asking, hands back what was not yielded yet, ends `batches`."""
        if self._stopping:
            return
        self._stopping = True
        if self._watching:
            self._watching.cancel()
        with contextlib.suppress(NatsError, OSError):
            if self._inbox_subscription:
                await self._inbox_subscription.unsubscribe()
        while not self._arrived.empty():
            if (message := self._arrived.get_nowait()) is not None:
                await self.reply(message, b"-NAK")
        self._arrived.put_nowait(None)

    async def _open(self, message: Msg) -> Delivery | None:
        try:
            event = decode(message.subject, message.data, message.headers)
        except MalformedEventError as error:
            if await self.bury(message, str(error)):
                await self.reply(message, b"+TERM")
            else:
                await self.reply(message, b'-NAK {"delay": 5000000000}')
            await self.release()
            return None
        return Delivery(event, message, message.metadata.num_delivered, self)

    async def _ask(self) -> None:
        free = self._slots - self._busy - self._asked
        if self._stopping or free <= 0 or self._asked > self._slots // 2:
            return
        self._asked += free
        request = {
            "batch": free,
            "expires": int(EXPIRES_SECONDS * 1e9),
            "idle_heartbeat": int(HEARTBEAT_SECONDS * 1e9),
        }
        try:
            await self._client.publish(self._next, json.dumps(request).encode(), reply=self._inbox)
        except (NatsError, OSError):  # `_watch` asks again
            self._asked = 0

    async def _on_message(self, message: Msg) -> None:
        self._heard = time.monotonic()
        if message.reply.startswith("$JS.ACK."):
            if self._busy >= self._slots:
                # After a short break the server still knew what was asked before it.
                await self.reply(message, b"-NAK")
                return
            self._asked = max(0, self._asked - 1)
            self._busy += 1
            self._arrived.put_nowait(message)
            await self._ask()
            return
        await self._on_status(message.headers or {})

    async def _on_status(self, headers: Mapping[str, str]) -> None:
        """Status 100 is a heartbeat; any other ends a request and says how much of it was not delivered."""
        status = headers.get("Status", "")
        if status == "100":
            return
        self._asked = max(0, self._asked - int(headers.get("Nats-Pending-Messages") or self._asked))
        if status == "408":  # expired in peace
            await self._ask()
            return
        log.info(
            "a pull ended", action="pull_ended", status=status, description=headers.get("Description", "")
        )
        self._restore()

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(HEARTBEAT_SECONDS / 2)
            silent = time.monotonic() - self._heard > 2.5 * HEARTBEAT_SECONDS
            if self._client.is_connected and (silent or not self._asked):
                self._heard = time.monotonic()
                if silent and self._asked:
                    self._restore()  # the request was lost, or the consumer is gone
                else:
                    await self._ask()
