"""Refuses a body that is too large, by its announced length or as soon as that much has arrived.

Starlette's own limit answers in plain text, whatever the error handlers say.
"""

import re

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rota_gateway.edge.problems import answer
from rota_gateway.errors import TooLargeError

MAX_BYTES = 1024 * 1024
# A thousand definitions, or an iCalendar file, whose every line end is two characters in JSON.
MANY_BYTES = 8 * MAX_BYTES
MANY = re.compile(r"/api/v1/(contexts/[^/]+/(jobs:batch|calendars)|calendars/[^/]+)")


def limit_of(path: str) -> int:
    return MANY_BYTES if MANY.fullmatch(path) else MAX_BYTES


class BodyLimit:
    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = limit_of(scope["path"])
        length = Headers(scope=scope).get("content-length", "")
        if length.isdecimal() and int(length[:20]) > limit:
            error = TooLargeError(limit)
            await answer(Request(scope), error.status, error.detail, headers=error.headers)(
                scope, receive, send
            )
            return
        await self._app(scope, counted(receive, limit), send)


def counted(receive: Receive, limit: int) -> Receive:
    """Raises TooLargeError where the application reads beyond the limit."""
    total = 0

    async def receive_counted() -> Message:
        nonlocal total
        message = await receive()
        total += len(message.get("body", b""))
        if total > limit:
            raise TooLargeError(limit)
        return message

    return receive_counted
