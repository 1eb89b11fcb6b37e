"""Waiting on a condition, never for a time."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


async def eventually(
    probe: Callable[[], Awaitable[T]], *, seconds: float = 15, what: str = "", every: float = 0.02
) -> T:
    """The first truthy answer of `probe`, asked `every` so many seconds; fails after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        answer = await probe()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(
                f"{what or 'the condition'} did not come true within {seconds} s: {answer!r}"
            )
        await asyncio.sleep(every)
