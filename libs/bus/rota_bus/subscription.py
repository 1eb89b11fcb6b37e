"""A continuous pull from a durable consumer.

The client library's own fetch loses requests when the server restarts and stalls after a timeout,
so this asks by itself: one or two requests are outstanding, heartbeats tell when one was lost.
"""

import asyncio
import contextlib
import json
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable
from datetime import datetime

from nats.aio.msg import Msg
from nats.aio.subscription import Subscription as NatsSubscription
from nats.errors import Error as NatsError

from rota_bus import publishing
from rota_bus.wire import Frame, WireClient, answer_frame, headers_of
from rota_chassis import logs
from rota_contracts.codec import MalformedEventError, Message, decode_wire, head_of
from rota_contracts.events import Event
from rota_contracts.streams import Consumer

log = logs.logger(__name__)

EXPIRES_SECONDS = 30.0
HEARTBEAT_SECONDS = 5.0
MAX_BATCH = 1000


class Delivery:
    """One event as it arrived; it occupies a slot of its subscription until it is settled.

    What is accepted is answered at once and keeps its slot until it is finished.
    """

    __slots__ = ("event", "frame", "has_slot", "settled", "subscription")

    def __init__(self, event: Event, frame: Frame, subscription: "Subscription") -> None:
        self.event = event
        self.frame = frame
        self.subscription = subscription
        self.has_slot = True
        self.settled = False

    @property
    def deliveries(self) -> int:
        """How often it was delivered, this time included."""
        return self.subscription.metadata(self.frame).num_delivered

    @property
    def traceparent(self) -> str:
        """The trace that it belongs to (W3C Trace Context); empty where it says none."""
        return headers_of(self.frame).get("traceparent", "")

    @property
    def said_at(self) -> datetime | None:
        """When it was said, by the clock of who did (CloudEvents); None where it does not say."""
        try:
            return datetime.fromisoformat(headers_of(self.frame).get("ce-time", ""))
        except ValueError:
            return None

    @property
    def max_failures(self) -> int:
        """How often handling may fail before the event is a dead letter."""
        return self.subscription.consumer.max_failures

    async def ack(self) -> None:
        """It is done."""
        self._settle(b"+ACK")

    async def nak(self, seconds: float = 0) -> None:
        """It is to come again, after `seconds`."""
        self._settle(b'-NAK {"delay": %d}' % int(seconds * 1e9))

    async def dead(self, reason: str) -> None:
        """It can never be handled: kept among the dead letters, not delivered again."""
        if await self.subscription.bury(self.frame, reason):
            self._settle(b"+TERM")
        else:
            await self.nak(5)

    def _settle(self, answer: bytes) -> None:
        if not self.settled:
            self.settled = True
            self.has_slot = False
            self.subscription.settle([self.frame], answer)


def accept_all(deliveries: Iterable[Delivery]) -> None:
    """They are in good hands and need not come again; each keeps its slot until it is finished."""
    for subscription, open_ones in _by_subscription(one for one in deliveries if not one.settled).items():
        for delivery in open_ones:
            delivery.settled = True
        subscription.answer([delivery.frame for delivery in open_ones], b"+ACK")


def finish_all(deliveries: Iterable[Delivery]) -> None:
    """Frees the slots of what was accepted."""
    for subscription, open_ones in _by_subscription(one for one in deliveries if one.has_slot).items():
        for delivery in open_ones:
            delivery.has_slot = False
        subscription.free(len(open_ones))


async def ack_all(deliveries: Iterable[Delivery]) -> None:
    """They are done: as `ack` of each, in one write."""
    for subscription, open_ones in _by_subscription(one for one in deliveries if not one.settled).items():
        for delivery in open_ones:
            delivery.settled = True
            delivery.has_slot = False
        subscription.settle([delivery.frame for delivery in open_ones], b"+ACK")


def _by_subscription(deliveries: Iterable[Delivery]) -> "dict[Subscription, list[Delivery]]":
    found: dict[Subscription, list[Delivery]] = {}
    for delivery in dict.fromkeys(deliveries):
        found.setdefault(delivery.subscription, []).append(delivery)
    return found


class Subscription:
    """Yields what has arrived, in batches; `slots` bounds what is unsettled."""

    def __init__(
        self, client: WireClient, consumer: Consumer, service: str, slots: int, restore: Callable[[], None]
    ) -> None:
        self.consumer = consumer
        self._client = client
        self._service = service
        self._slots = slots
        self._restore = restore
        self._inbox = client.new_inbox()
        self._next = f"$JS.API.CONSUMER.MSG.NEXT.{consumer.stream.name}.{consumer.durable} {self._inbox}"
        self._arrived: deque[Frame] = deque()
        self._news = asyncio.Event()  # something arrived, or it was stopped
        self._busy = 0  # arrived, not settled
        self._asked = 0  # requested, not arrived
        self._heard = time.monotonic()
        self._stopping = False
        self._receiving: NatsSubscription | None = None
        self._watching: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._receiving = await self._client.receive(self._inbox, self._on_frame)
        self._watching = asyncio.create_task(self._watch(), name=f"watch-{self.consumer.durable}")
        self._ask()

    async def batches(self) -> AsyncIterator[list[Delivery]]:
        """All that has arrived, at least one delivery each time, until `stop`."""
        while True:
            await self._news.wait()
            frames = [self._arrived.popleft() for _ in range(min(len(self._arrived), MAX_BATCH))]
            if not frames and self._stopping:
                return
            if not self._arrived and not self._stopping:
                self._news.clear()
            opened = [self._open(frame) for frame in frames]
            for frame, problem in zip(frames, opened, strict=True):
                if isinstance(problem, MalformedEventError):
                    await self._refuse(frame, str(problem))
            if batch := [one for one in opened if isinstance(one, Delivery)]:
                yield batch

    def renew(self) -> None:
        """Asks again after a reconnect; what was asked before is forgotten by the server."""
        self._asked = 0
        self._ask()

    def settle(self, frames: list[Frame], answer: bytes) -> None:
        """Answers for good: the slots are free."""
        self.answer(frames, answer)
        self.free(len(frames))

    def free(self, slots: int) -> None:
        """So many slots are free again."""
        self._busy -= slots
        self._ask()

    def answer(self, frames: Iterable[Frame], answer: bytes) -> None:
        """Unanswered, it is delivered again."""
        self._client.send(b"".join([answer_frame(frame.reply, answer) for frame in frames]))

    def metadata(self, frame: Frame) -> Msg.Metadata:
        """What the server says about the delivery."""
        return Msg(self._client, reply=frame.reply.decode()).metadata

    async def bury(self, frame: Frame, reason: str) -> bool:
        """Keeps the message and the reason among the dead letters; False when that fails now."""
        metadata, subject = self.metadata(frame), frame.subject.decode()
        headers = {
            # Not those that would tell the server what to do with the letter.
            **{name: value for name, value in headers_of(frame).items() if not name.startswith("Nats-")},
            "Nats-Msg-Id": f"{metadata.stream}/{metadata.sequence.stream}/{self.consumer.durable}",
            "rota-reason": " ".join(reason.split())[:1000],
            "rota-subject": subject,
            "rota-consumer": self.consumer.durable,
            "rota-stream-sequence": str(metadata.sequence.stream),
        }
        log.error(
            "a message is dead",
            action="dead_letter",
            reason=reason,
            subject=subject,
            consumer=self.consumer.durable,
            sequence=metadata.sequence.stream,
        )
        letter = Message(f"dead.{self._service}", frame.payload, head_of(headers))
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
            if self._receiving:
                await self._client.unreceive(self._receiving)
        self.answer(self._arrived, b"-NAK")
        self._arrived.clear()
        self._news.set()

    def _open(self, frame: Frame) -> Delivery | MalformedEventError:
        try:
            event = decode_wire(frame.subject.decode(), frame.payload, frame.block)
        except MalformedEventError as error:
            return error
        return Delivery(event, frame, self)

    async def _refuse(self, frame: Frame, reason: str) -> None:
        is_kept = await self.bury(frame, reason)
        self.settle([frame], b"+TERM" if is_kept else b'-NAK {"delay": 5000000000}')

    def _ask(self) -> None:
        """One request for many: while half of the slots are asked for, or only a few are free, none."""
        free = self._slots - self._busy - self._asked
        if self._stopping or free <= 0 or self._asked > self._slots // 2:
            return
        if self._asked and free < self._slots // 4:
            return
        self._asked += free
        request = {
            "batch": free,
            "expires": int(EXPIRES_SECONDS * 1e9),
            "idle_heartbeat": int(HEARTBEAT_SECONDS * 1e9),
        }
        self._client.send(answer_frame(self._next.encode(), json.dumps(request).encode()))

    def _on_frame(self, frame: Frame) -> None:
        self._heard = time.monotonic()
        if not frame.reply.startswith(b"$JS.ACK."):
            self._on_status(frame)
        elif self._busy >= self._slots:
            # After a short break the server still knew what was asked before it.
            self.answer([frame], b"-NAK")
        else:
            self._asked = max(0, self._asked - 1)
            self._busy += 1
            self._arrived.append(frame)
            self._news.set()
            self._ask()

    def _on_status(self, frame: Frame) -> None:
        """Status 100 is a heartbeat; any other ends a request and says how much of it was not delivered."""
        headers = headers_of(frame)
        status = headers.get("Status", "")
        if status == "100":
            return
        self._asked = max(0, self._asked - int(headers.get("Nats-Pending-Messages") or self._asked))
        if status == "408":  # expired in peace
            self._ask()
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
                    self._ask()
