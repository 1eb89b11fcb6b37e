"""Live hints: what is said on the bus now, passed on to the pages and programs that listen."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import NamedTuple
from uuid import UUID

from rota_bus import Bus, Hearing
from rota_contracts.events import MemberChanged

# Said after the row that it is about was committed, so that whoever looks then finds it.
SUBJECTS = (
    "job.changed.*.*",
    "job.started.*.*",
    "job.closed.*.*",
    "result.recorded.*.*",
    "bell.rung.*",
    "member.changed.*.*",
)
# More than this in one batch is told as a single "look again".
MAX_PENDING = 100


class Hint(NamedTuple):
    """Something changed; `subject_id` is the job or the user it concerns, none for a notification."""

    event: str
    context_id: UUID
    subject_id: UUID | None

    @property
    def is_of_members(self) -> bool:
        """Whoever listens may see something else from now on, or nothing."""
        return self.event == MemberChanged.NAME


def parse(subject: str) -> Hint | None:
    """The hint that a subject gives, e.g. job.changed.<context>.<job>; None for a foreign one."""
    tokens = subject.split(".")
    if len(tokens) not in {3, 4}:
        return None
    try:
        return Hint(".".join(tokens[:2]), UUID(tokens[2]), UUID(tokens[3]) if len(tokens) == 4 else None)
    except ValueError:
        return None


class Listener:
    """Keeps each hint once until it is taken: a slow reader costs at most MAX_PENDING of them."""

    def __init__(self) -> None:
        self._pending: dict[Hint, None] = {}
        self._overflowed: dict[UUID, None] = {}
        self._arrived = asyncio.Event()

    def offer(self, hint: Hint) -> None:
        if len(self._pending) < MAX_PENDING:
            self._pending[hint] = None
        else:
            self._overflowed[hint.context_id] = None
        self._arrived.set()

    def wake(self) -> None:
        self._arrived.set()

    async def take(self, seconds: float) -> list[Hint]:
        """What has arrived, after waiting for it at most `seconds`."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._arrived.wait(), seconds)
        hints = [*self._pending, *(Hint("changed", context, None) for context in self._overflowed)]
        self._pending.clear()
        self._overflowed.clear()
        self._arrived.clear()
        return hints


class Hub:
    """Hears the bus while somebody listens: without a reader hints cost nothing."""

    def __init__(self, bus: Bus | None = None) -> None:
        self._bus = bus
        self._listeners: set[Listener] = set()
        self._hearings: list[Hearing] = []
        self._turning = asyncio.Lock()
        self._turns: set[asyncio.Task[None]] = set()
        self._closed = asyncio.Event()

    @property
    def is_closed(self) -> bool:
        return self._closed.is_set()

    @property
    def is_hearing(self) -> bool:
        return bool(self._hearings)

    async def pause(self, seconds: float) -> None:
        """Waits, but not beyond the end of the hub."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._closed.wait(), seconds)

    async def on_message(self, subject: str, _payload: bytes) -> None:
        hint = parse(subject)
        if hint is not None:
            for listener in self._listeners:
                listener.offer(hint)

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator[Listener]:
        """Whoever is in it hears everything that is said from its begin on."""
        listener = Listener()
        self._listeners.add(listener)
        try:
            await self._turned()
            yield listener
        finally:
            self._listeners.discard(listener)
            await self._turned()

    async def _turned(self) -> None:
        """Also when whoever listened was cut off, and may not wait for it any more."""
        turn = asyncio.create_task(self._turn())
        self._turns.add(turn)
        turn.add_done_callback(self._turns.discard)
        await asyncio.shield(turn)

    async def _turn(self) -> None:
        """Begins to hear with the first listener, and ends with the last."""
        async with self._turning:
            if self._bus is None or bool(self._listeners) == bool(self._hearings):
                return
            if self._listeners:
                self._hearings = [await self._bus.listen(subject, self.on_message) for subject in SUBJECTS]
                return
            hearings, self._hearings = self._hearings, []
            for hearing in hearings:
                await hearing.stop()

    def close(self) -> None:
        """Ends every stream, so that the server need not wait for its readers."""
        self._closed.set()
        for listener in self._listeners:
            listener.wake()
