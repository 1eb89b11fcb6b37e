"""Signing a browser in: by a link that works once, or by an API key."""

from datetime import timedelta
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from rota_gateway.edge.caller import SESSION_COOKIE
from rota_gateway.edge.gateway import Gateway, gateway_of
from rota_gateway.repository import identities
from rota_gateway.repository.connection import Connection
from rota_gateway.tokens import digest, new_token
from rota_gateway.web.rendering import render

router = APIRouter()

Secret = Annotated[str, Form(max_length=500)]
REFUSED = {
    "link": "This link was used already, or it is too old. Ask for a new one.",
    "key": "This API key is unknown, expired or revoked.",
}


@router.get("/sign-in")
async def form(token: str = "") -> Response:
    """A link only shows a button: what merely looks at links (a mail scanner) must not use it up."""
    return render("sign_in.html", token=token, problem=None)


@router.post("/sign-in")
async def sign_in(request: Request, token: Secret = "", api_key: Secret = "") -> Response:
    gateway = gateway_of(request)
    address = request.client.host if request.client else ""
    gateway.sign_in_failures.check(address)
    async with gateway.transaction() as connection:
        user_id = await _user(connection, token, api_key.strip())
        session = await _open_session(gateway, connection, user_id) if user_id else None
    if session is None:
        gateway.sign_in_failures.record(address)
        problem = REFUSED["link" if token else "key"]
        return render("sign_in.html", status=403, token="", problem=problem)
    response = RedirectResponse("/", status_code=303)
    response.set_cookie(
        SESSION_COOKIE,
        session,
        max_age=gateway.settings.session_days * 24 * 3600,
        httponly=True,
        samesite="lax",
        secure=gateway.public_url(request).startswith("https://"),
    )
    return response


@router.post("/sign-out")
async def sign_out(request: Request) -> Response:
    gateway = gateway_of(request)
    if cookie := request.cookies.get(SESSION_COOKIE):
        async with gateway.transaction() as connection:
            await identities.close_session(connection, digest(cookie))
    response = RedirectResponse("/sign-in", status_code=303)
    response.delete_cookie(SESSION_COOKIE)
    return response


async def _user(connection: Connection, token: str, api_key: str) -> UUID | None:
    if token:
        return await identities.use_sign_in_link(connection, digest(token))
    found = await identities.by_api_key(connection, digest(api_key))
    return found["id"] if found else None


async def _open_session(gateway: Gateway, connection: Connection, user_id: UUID) -> str:
    session = new_token()
    life = timedelta(days=gateway.settings.session_days)
    await identities.open_session(connection, user_id, digest(session), life)
    return session
