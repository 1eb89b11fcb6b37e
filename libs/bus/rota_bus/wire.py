"""The client library's connection, with a fast lane for what is many.

Signing in, reconnecting, control lines and ordinary subscriptions stay the library's business. Here
whole frames are handed to the socket as one buffer, and those that arrive on an inbox of ours are cut
out of what was read and handed over as bytes: no task, no queue, no parsed headers for each of them.

The only place that touches the library's private parts; `tests/unit/bus/test_wire.py` names them.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import NamedTuple
from uuid import uuid4

from nats.aio.client import Client
from nats.aio.subscription import Subscription as NatsSubscription
from nats.errors import MaxPayloadError, ProtocolError
from nats.protocol.parser import Parser

from rota_chassis import logs
from rota_contracts.codec import Message

log = logs.logger(__name__)

PREAMBLE = b"NATS/1.0\r\n"
PING = b"PING\r\n"


class Frame(NamedTuple):
    """One message as it came; `block` is its headers with the preamble, empty without any."""

    subject: bytes
    reply: bytes
    block: bytes
    payload: bytes


Receive = Callable[[Frame], None]


class WireClient(Client):
    def __init__(self) -> None:
        super().__init__()
        self.receivers: dict[bytes, Receive] = {}
        self._ps = _Parser(self)
        self._answers: dict[bytes, asyncio.Future[Frame]] = {}
        self._answers_inbox = b""

    async def receive(self, inbox: str, receive: Receive) -> NatsSubscription:
        """Calls `receive` at once with each message on `inbox`, also after a reconnect."""
        subscription = await self.subscribe(inbox)
        self.receivers[_number_of(subscription)] = receive
        return subscription

    async def unreceive(self, subscription: NatsSubscription) -> None:
        """Ends what `receive` began."""
        self.receivers.pop(_number_of(subscription), None)
        await subscription.unsubscribe()

    def send(self, frames: bytes) -> None:
        """Hands whole frames to the socket; they wait while the connection is away."""
        if self.is_connected and self._transport is not None and not self._pending:
            self._transport.write(frames)
        else:
            self._pending.append(frames)
            self._pending_data_size += len(frames)

    @property
    def connection(self) -> int | None:
        """The number of the present connection; None while there is none."""
        return int(self.stats["reconnects"]) if self.is_connected else None

    async def round_trip(self, seconds: float) -> int:
        """Returns when the server has taken all that was sent before; on which connection it did.

        The library's own flush overtakes what still waits to be sent, and when it runs out of time, the
        answer that comes later ends the reading for good.

        Raises:
            OSError: there is no connection, or it broke meanwhile.
            TimeoutError: no answer came within `seconds`.

        """
        async with asyncio.timeout(seconds):
            while self._pending and self.is_connected:
                await self._flush_pending(force_flush=True)
        if (connection := self.connection) is None or self._transport is None:
            raise ConnectionError("NATS is not connected")
        answer = asyncio.get_running_loop().create_future()
        self._pongs.append(answer)
        self._transport.write(PING)
        await asyncio.wait([answer], timeout=seconds)
        if self.connection != connection:
            raise ConnectionError("the connection to NATS broke")
        if not answer.done():
            raise TimeoutError(f"NATS did not answer within {seconds} s")
        return connection

    def require_room(self, messages: Sequence[Message]) -> None:
        """The server would end the connection over a message that is too long.

        Raises:
            MaxPayloadError: one is.

        """
        room = self.max_payload - 256  # for what is added when it is sent
        if any(len(message.payload) + len(message.head) > room for message in messages):
            raise MaxPayloadError

    @asynccontextmanager
    async def answers(self, count: int) -> AsyncIterator[list[tuple[bytes, asyncio.Future[Frame]]]]:
        """Subjects to ask for answers on, each with what will hold the answer."""
        if not self._answers_inbox:
            self._answers_inbox = self.new_inbox().encode()
            await self.receive(f"{self._answers_inbox.decode()}.*", self._on_answer)
        loop = asyncio.get_running_loop()
        first = uuid4().hex.encode()
        asked = [
            (b"%b.%b%d" % (self._answers_inbox, first, number), loop.create_future())
            for number in range(count)
        ]
        self._answers.update(asked)
        try:
            yield asked
        finally:
            for subject, answer in asked:
                del self._answers[subject]
                answer.cancel()

    def _on_answer(self, frame: Frame) -> None:
        if (answer := self._answers.get(frame.subject)) and not answer.done():
            answer.set_result(frame)


class _Parser(Parser):
    """Cuts whole frames; those of a receiver go there, all others to the library's parser one by one."""

    def reset(self) -> None:
        super().reset()
        self._kept: list[bytes] = []  # the beginning of a frame
        self._missing = 0

    async def parse(self, data: bytes = b"") -> None:
        data, kept = self._complete(data), self._kept
        at = 0
        while at < len(data):
            end = data.find(b"\r\n", at)
            if end < 0:
                self._missing = 1
                break
            words = data[at:end].split()
            if len(words) < 4 or words[0] not in {b"MSG", b"HMSG"}:
                stop = end + 2
            elif (stop := end + 4 + _number(words[-1])) > len(data):
                self._missing = stop - len(data)
                break
            elif receive := self.nc.receivers.get(words[2]):
                _deliver(receive, words, data[end + 2 : stop - 2])
                at = stop
                continue
            await super().parse(data[at:stop])
            if self._kept is not kept:  # the connection is over
                return
            at = stop
        if at < len(data):
            kept.append(data[at:])

    def _complete(self, data: bytes) -> bytes:
        """With what was kept before; nothing while the frame that began there has not ended."""
        if self.nc.is_reconnecting:  # it was read from the connection that is over
            return b""
        if not self._kept:
            return data
        self._kept.append(data)
        self._missing -= len(data)
        if self._missing > 0:
            return b""
        data = b"".join(self._kept)
        self._kept.clear()
        return data


def _deliver(receive: Receive, words: list[bytes], body: bytes) -> None:
    """`words`: HMSG, subject, subscription, perhaps reply, length of the headers, length of all."""
    split = _number(words[-2]) if words[0] == b"HMSG" else 0
    reply = words[3] if len(words) == (6 if split else 5) else b""
    try:
        receive(Frame(words[1], reply, body[:split], body[split:]))
    except Exception:  # the edge of the reading loop, which would end
        log.exception("a message was not received", action="receive_failed")


def _number_of(subscription: NatsSubscription) -> bytes:
    """As the server names it in each frame."""
    return b"%d" % subscription._id  # noqa: SLF001  no other way; pinned by a test


def _number(word: bytes) -> int:
    try:
        return int(word)
    except ValueError as error:
        raise ProtocolError from error


def headers_of(frame: Frame) -> dict[str, str]:
    """All headers by name, and what the server says in the first line as Status and Description."""
    first, _, lines = frame.block.partition(b"\r\n")
    parse = Client._parse_header_lines  # noqa: SLF001  the library's own rules; pinned by a test
    headers: dict[str, str] = parse(lines)
    if told := first.decode(errors="replace").split(maxsplit=2)[1:]:
        headers |= dict(zip(("Status", "Description"), told, strict=False))
    return headers


def publish_frame(message: Message, reply: bytes = b"", more: bytes = b"") -> bytes:
    """What says `message`; `more` are further header lines."""
    head = len(PREAMBLE) + len(message.head) + len(more) + 2
    return b"HPUB %b %b %d %d\r\n%b%b%b\r\n%b\r\n" % (
        message.subject.encode(),
        reply,
        head,
        head + len(message.payload),
        PREAMBLE,
        message.head,
        more,
        message.payload,
    )


def answer_frame(reply: bytes, answer: bytes) -> bytes:
    """What settles a delivery."""
    return b"PUB %b %d\r\n%b\r\n" % (reply, len(answer), answer)
