"""Refuses what another site makes a browser send.

A browser tells where a request comes from (Sec-Fetch-Site, Origin); what carries an Authorization
header was not sent by a form or a link, so it is left alone.
Source: Filippo Valsorda, Cross-Site Request Forgery, 2025; net/http CrossOriginProtection.
"""

from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from rota_gateway.edge.caller import SESSION_COOKIE
from rota_gateway.edge.problems import answer

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class CrossSiteProtection:
    def __init__(self, app: ASGIApp, public_url: str | None) -> None:
        self._app = app
        self._public_host = urlsplit(public_url or "").netloc or None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] not in SAFE_METHODS:
            request = Request(scope)
            if not self._is_own(request.headers, has_session=SESSION_COOKIE in request.cookies):
                refusal = answer(request, 403, "This request comes from another site.")
                await refusal(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _is_own(self, headers: Headers, *, has_session: bool) -> bool:
        if "authorization" in headers:
            return True
        if site := headers.get("sec-fetch-site"):
            return site in {"same-origin", "none"}
        if origin := headers.get("origin"):
            host = urlsplit(origin).netloc
            return bool(host) and host in {headers.get("host"), self._public_host}
        return not has_session
