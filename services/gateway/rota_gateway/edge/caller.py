"""Who calls: an API key in the Authorization header, else the session cookie."""

from dataclasses import dataclass
from uuid import UUID

from starlette.requests import HTTPConnection

from rota_gateway.edge.gateway import Gateway
from rota_gateway.errors import UnauthenticatedError
from rota_gateway.repository import identities
from rota_gateway.tokens import digest

SESSION_COOKIE = "rota_session"


@dataclass(frozen=True)
class Caller:
    id: UUID
    email: str
    display_name: str
    is_admin: bool


async def authenticate(gateway: Gateway, request: HTTPConnection) -> Caller:
    """The user behind the request; a cookie never makes up for a wrong Authorization header.

    Raises:
        UnauthenticatedError: nobody.

    """
    header = request.headers.get("authorization")
    cookie = request.cookies.get(SESSION_COOKIE)
    async with gateway.transaction() as connection:
        if header is not None:
            scheme, _, secret = header.partition(" ")
            key = digest(secret.strip()) if scheme.lower() == "bearer" else b""
            found = await identities.by_api_key(connection, key)
        elif cookie:
            found = await identities.by_session(connection, digest(cookie))
        else:
            raise UnauthenticatedError("Sign in, or send an API key: Authorization: Bearer rota_…")
    if found is None:
        raise UnauthenticatedError("The API key or the session is unknown, expired or revoked.")
    return Caller(found["id"], found["email"], found["display_name"], found["is_admin"])
