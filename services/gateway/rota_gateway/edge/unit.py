"""One request, one transaction: as its user; the answer is kept for an Idempotency-Key."""

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Annotated, Any

from fastapi import Depends
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response

from rota_chassis import logs
from rota_contracts.events import Event
from rota_gateway.edge.caller import Caller, authenticate
from rota_gateway.edge.gateway import gateway_of
from rota_gateway.errors import (
    ConflictError,
    ContentTypeError,
    FieldError,
    InvalidError,
    MalformedError,
    UnavailableError,
)
from rota_gateway.repository import idempotency
from rota_gateway.repository.connection import Connection
from rota_store import is_contention

log = logs.logger(__name__)

MAX_KEY_LENGTH = 255
MAX_TRIES = 20
PAUSE_SECONDS = 0.02
Handler = Callable[[Request], Coroutine[Any, Any, Response]]


@dataclass
class Unit:
    """`hints` and `events` are said after the commit; an answer with a secret in it is not kept."""

    caller: Caller
    connection: Connection
    hints: list[Event] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    holds_secret: bool = False


def _unit_of(request: Request) -> Unit:
    unit: Unit = request.state.unit
    return unit


CurrentUnit = Annotated[Unit, Depends(_unit_of)]


class UnitRoute(APIRoute):
    """A route whose handler runs inside a unit; whatever it raises rolls everything back."""

    def get_route_handler(self) -> Handler:
        handler = super().get_route_handler()

        async def handle(request: Request) -> Response:
            return await _in_unit(request, handler)

        return handle


class ApiRoute(UnitRoute):
    """The same for JSON: a body of another type is refused, and a parameter that would do nothing."""

    def get_route_handler(self) -> Handler:
        handler = super().get_route_handler()
        known = _query_names(self.dependant)

        async def handle(request: Request) -> Response:
            _require_known(request, known)
            await _require_json(request)
            return await handler(request)

        return handle


def _query_names(dependant: Dependant) -> frozenset[str]:
    """The parameters of a query that a route and what it depends on take."""
    own = {field.alias for field in dependant.query_params}
    return frozenset(own.union(*(_query_names(one) for one in dependant.dependencies)))


def _require_known(request: Request, known: frozenset[str]) -> None:
    """A filter that was mistyped must not show everything."""
    takes = f"it takes {', '.join(sorted(known))}" if known else "it takes none"
    errors = [
        FieldError(name[:MAX_KEY_LENGTH], f"is no parameter of this address: {takes}")
        for name in dict.fromkeys(request.query_params)
        if name not in known
    ]
    if errors:
        raise InvalidError(errors)


async def _require_json(request: Request) -> None:
    body = await request.body()
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if not body:
        return
    if content_type != "application/json":
        raise ContentTypeError("Send the body as application/json.")
    try:
        json.loads(body)
    except (ValueError, RecursionError) as error:
        raise MalformedError(f"The body is no JSON: {error}") from error


async def _in_unit(request: Request, handler: Handler) -> Response:
    gateway = gateway_of(request)
    # Before the transaction: a slow sender must not hold a connection of the pool.
    body = await request.body()
    caller = await authenticate(gateway, request)
    key = _idempotency_key(request)

    async def tried() -> Response:
        async with gateway.transaction(caller.id) as connection:
            unit = request.state.unit = Unit(caller, connection)
            response = await (_once(request, unit, key, body, handler) if key else handler(request))
        await gateway.say(unit.hints, unit.events)
        return response

    return await _out_of_the_way(tried)


async def _out_of_the_way(tried: Callable[[], Awaitable[Response]]) -> Response:
    """What was rolled back because others were in the way has done nothing: it is tried again."""
    number = 1
    while True:
        try:
            return await tried()
        except UnavailableError as error:
            if number == MAX_TRIES or not is_contention(error.__cause__):
                raise
            log.info("a request is tried again", action="request_repeated", error=repr(error.__cause__))
        await asyncio.sleep(number * PAUSE_SECONDS)
        number += 1


def _idempotency_key(request: Request) -> str | None:
    key = request.headers.get("idempotency-key")
    if key is None or request.method != "POST":
        return None
    if not 1 <= len(key) <= MAX_KEY_LENGTH or not key.isprintable():
        message = f"must have 1 to {MAX_KEY_LENGTH} printable characters"
        raise InvalidError([FieldError("Idempotency-Key", message)])
    return key


async def _once(request: Request, unit: Unit, key: str, body: bytes, handler: Handler) -> Response:
    if not await idempotency.lock(unit.connection, unit.caller.id, key):
        raise ConflictError("A request with this Idempotency-Key is being answered right now.")
    request_hash = hashlib.sha256(f"{request.method} {request.url.path}\n".encode() + body).digest()
    kept = await idempotency.find(unit.connection, unit.caller.id, key)
    if kept is None:
        response = await handler(request)
        answer = None if unit.holds_secret else bytes(response.body)
        await idempotency.keep(
            unit.connection,
            unit.caller.id,
            key,
            request_hash=request_hash,
            status=response.status_code,
            body=answer,
        )
        return response
    if kept["request_hash"] != request_hash:
        message = "was used for another request"
        raise InvalidError([FieldError("Idempotency-Key", message)])
    if kept["body"] is None:
        raise ConflictError("This was answered before, with a secret that is shown once and not kept.")
    return Response(kept["body"], kept["status"], media_type="application/json")
