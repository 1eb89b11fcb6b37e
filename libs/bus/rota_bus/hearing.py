"""What is said now, for whoever listens; nothing is stored for it, and it may be lost."""

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable

from nats.aio.subscription import Subscription as NatsSubscription
from nats.errors import Error as NatsError

from rota_bus.wire import Frame, WireClient
from rota_chassis import logs

log = logs.logger(__name__)

Callback = Callable[[str, bytes], Awaitable[None]]

MAX_WAITING = 10_000  # the oldest are forgotten then


class Hearing:
    """Calls back in order, one at a time, from one task."""

    def __init__(self, client: WireClient, subject: str, callback: Callback) -> None:
        self._client = client
        self._subject = subject
        self._callback = callback
        self.is_on = False
        self._arrived: deque[Frame] = deque(maxlen=MAX_WAITING)
        self._news = asyncio.Event()
        self._receiving: NatsSubscription | None = None
        self._telling: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self.is_on = True
        self._receiving = await self._client.receive(self._subject, self._on_frame)
        self._telling = asyncio.create_task(self._tell(), name=f"hear-{self._subject}")

    async def stop(self) -> None:
        """Nothing is told any more, and nothing sent here."""
        self.is_on = False
        if self._telling:
            self._telling.cancel()
        if self._receiving:
            receiving, self._receiving = self._receiving, None
            with contextlib.suppress(NatsError, OSError):
                await self._client.unreceive(receiving)

    def _on_frame(self, frame: Frame) -> None:
        self._arrived.append(frame)
        self._news.set()

    async def _tell(self) -> None:
        while await self._news.wait():
            self._news.clear()
            while self._arrived:
                frame = self._arrived.popleft()
                try:
                    await self._callback(frame.subject.decode(), frame.payload)
                except Exception as error:  # noqa: BLE001  the edge of a loop: it was only a hint
                    log.warning(
                        "a hint was not understood",
                        action="hint_failed",
                        subject=frame.subject.decode(errors="replace"),
                        error=repr(error),
                    )
