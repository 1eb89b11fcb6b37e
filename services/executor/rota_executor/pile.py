"""Work that piles up while the worker is busy, taken all at once."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Generic, TypeVar

T = TypeVar("T")


class Pile(Generic[T]):
    def __init__(self) -> None:
        self._items: list[T] = []
        self._arrived = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()

    def put(self, item: T) -> None:
        self._items.append(item)
        self._idle.clear()
        self._arrived.set()

    @contextlib.asynccontextmanager
    async def taken(self, most: int) -> AsyncIterator[list[T]]:
        """Waits for work and yields what is there, at most `most`; done when the block ends."""
        await self._arrived.wait()
        batch, self._items = self._items[:most], self._items[most:]
        if not self._items:
            self._arrived.clear()
        yield batch
        if not self._items:
            self._idle.set()

    async def empty(self) -> None:
        """Returns when nothing is piled up and nothing is being worked on."""
        await self._idle.wait()
