"""What the superuser of the local PostgreSQL says to it, without a loop of the caller's own."""

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")

_CONNECT_TIMEOUT_SECONDS = 5


def execute(url: str, *statements: str) -> None:
    """Run each statement on its own, outside of a transaction."""
    _in_a_loop(_execute(url, statements))


def fetch_value(url: str, query: str, *arguments: object) -> Any:
    """The first column of the first row, None when there is none."""
    return _in_a_loop(_fetch_value(url, query, arguments))


def answers(url: str) -> bool:
    """Whether a client can sign in and gets an answer."""
    import asyncpg  # noqa: PLC0415 - keeps the client's start fast

    try:
        return bool(fetch_value(url, "SELECT true"))
    except (OSError, TimeoutError, asyncpg.CannotConnectNowError, asyncpg.ConnectionDoesNotExistError):
        return False  # not yet


async def _execute(url: str, statements: tuple[str, ...]) -> None:
    connection = await _connect(url)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


async def _fetch_value(url: str, query: str, arguments: tuple[object, ...]) -> Any:
    connection = await _connect(url)
    try:
        return await connection.fetchval(query, *arguments)
    finally:
        await connection.close()


async def _connect(url: str) -> Any:
    import asyncpg  # noqa: PLC0415 - keeps the client's start fast

    # Neither TLS nor a GSS handshake with oneself: it saves two round trips per connection.
    return await asyncpg.connect(url, timeout=_CONNECT_TIMEOUT_SECONDS, ssl=False)


def _in_a_loop(work: Coroutine[Any, Any, T]) -> T:
    """In a thread of its own, because the caller may be inside a running loop."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        return pool.submit(asyncio.run, work).result()
