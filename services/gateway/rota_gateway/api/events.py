"""Server-sent events: hints that something changed, for pages and programs that then look."""

import json
import time
from collections.abc import AsyncIterator
from uuid import UUID

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import StreamingResponse

from rota_chassis import logs
from rota_gateway.edge.caller import authenticate
from rota_gateway.edge.gateway import Gateway, gateway_of
from rota_gateway.errors import RequestError
from rota_gateway.live import Hint, Listener
from rota_gateway.repository import access

log = logs.logger(__name__)
router = APIRouter(tags=["events"])

HEARTBEAT_SECONDS = 15.0
# A burst becomes one batch: the reader looks twice a second at most.
INTERVAL_SECONDS = 0.5
# How long a revoked key still hears hints; who is no member any more hears none from then on.
TRUST_SECONDS = 5.0


@router.get("/events", response_class=StreamingResponse)
async def listen(request: Request) -> StreamingResponse:
    """Events named `hint` with `{"event", "context_id", "id"}`, of the contexts that you may see."""
    gateway = gateway_of(request)
    audience = Audience(gateway, request)
    await audience.refresh()
    return StreamingResponse(_stream(gateway, audience), media_type="text/event-stream")


class Audience:
    """What one reader may hear, looked up again from time to time."""

    def __init__(self, gateway: Gateway, request: Request) -> None:
        self._gateway = gateway
        self._request = request
        self._contexts: frozenset[UUID] = frozenset()
        self._looked_at = 0.0

    async def refresh(self) -> None:
        """Raises UnauthenticatedError once the key or session does not hold any more."""
        caller = await authenticate(self._gateway, self._request)
        async with self._gateway.transaction(caller.id) as connection:
            self._contexts = await access.visible_contexts(connection)
        self._looked_at = time.monotonic()

    async def allowed(self, hints: list[Hint]) -> list[Hint]:
        is_old = time.monotonic() - self._looked_at > TRUST_SECONDS
        if is_old or any(hint.is_of_members or hint.context_id not in self._contexts for hint in hints):
            await self.refresh()
        return [hint for hint in hints if hint.context_id in self._contexts]


async def _stream(gateway: Gateway, audience: Audience) -> AsyncIterator[str]:
    async with gateway.hub.listening() as listener:
        yield "retry: 2000\n: listening\n\n"
        try:
            async for chunk in _chunks(gateway, audience, listener):
                yield chunk
        except RequestError as error:
            log.info("a live stream ends", action="stream_ended", reason=error.detail)


async def _chunks(gateway: Gateway, audience: Audience, listener: Listener) -> AsyncIterator[str]:
    while not gateway.hub.is_closed:
        arrived = await listener.take(HEARTBEAT_SECONDS)
        hints = await audience.allowed(arrived)
        yield "".join(_event(hint) for hint in hints) or ": still here\n\n"
        if hints:
            await gateway.hub.pause(INTERVAL_SECONDS)


def _event(hint: Hint) -> str:
    subject = None if hint.subject_id is None else str(hint.subject_id)
    data = {"event": hint.event, "context_id": str(hint.context_id), "id": subject}
    return f"event: hint\ndata: {json.dumps(data)}\n\n"
