"""A server that speaks as Google does where the Gmail tools ask: OAuth 2.0 (RFC 6749, 6), Gmail."""

import base64
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from rota_chassis.health import serving

CLIENT = {"client_id": "the-client.apps.example", "client_secret": "the-client-secret"}
REFRESH_TOKEN = "1//the-refresh-token"


def encoded(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def message(identity: str, subject: str, *parts: dict[str, Any], **headers: str) -> dict[str, Any]:
    told = {"From": "Ada <ada@example.org>", "Date": "Sun, 22 Nov 2026 07:00:00 +0000", "Subject": subject}
    return {
        "id": identity,
        "snippet": f"{subject} begins",
        "payload": {
            "mimeType": "multipart/mixed",
            "headers": [{"name": name, "value": value} for name, value in {**told, **headers}.items()],
            "parts": list(parts),
        },
    }


def part(kind: str, text: str, **more: Any) -> dict[str, Any]:
    return {"mimeType": kind, "body": {"data": encoded(text)}, **more}


@dataclass
class Google:
    """`tokens` are those that it has handed out and still takes."""

    url: str = ""
    messages: dict[str, dict[str, Any]] = field(default_factory=dict)
    tokens: list[str] = field(default_factory=list)
    refreshes: int = 0
    revoked: bool = False
    # The status to answer with instead, each once.
    trouble: list[int] = field(default_factory=list)
    asked: list[tuple[str, dict[str, list[str]]]] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        return {"EXECUTOR_GMAIL_URL": self.url, "EXECUTOR_GOOGLE_TOKEN_URL": f"{self.url}/token"}

    async def refresh(self, request: Request) -> Response:
        form = {name: values[0] for name, values in parse_qs((await request.body()).decode()).items()}
        expected = {**CLIENT, "grant_type": "refresh_token", "refresh_token": REFRESH_TOKEN}
        if self.revoked or any(form.get(name) != value for name, value in expected.items()):
            problem = {"error": "invalid_grant", "error_description": "Token has been expired or revoked."}
            return JSONResponse(problem, 400)
        self.refreshes += 1
        self.tokens.append(f"ya29.access-token-{self.refreshes}")
        return JSONResponse({"access_token": self.tokens[-1], "expires_in": 3599, "token_type": "Bearer"})

    async def listed(self, request: Request) -> Response:
        if refusal := self._refusal(request):
            return refusal
        query = request.query_params["q"].lower()
        found = [one for one in self.messages.values() if query in one["snippet"].lower()]
        most = int(request.query_params["maxResults"])
        listed = [{"id": one["id"], "threadId": one["id"]} for one in found[:most]]
        return JSONResponse({"messages": listed, "resultSizeEstimate": len(found)} if found else {})

    async def one(self, request: Request) -> Response:
        if refusal := self._refusal(request):
            return refusal
        found = self.messages.get(request.path_params["id"])
        if found is None:
            return _problem(404, "Requested entity was not found.")
        if request.query_params["format"] == "metadata":
            wanted = request.query_params.getlist("metadataHeaders")
            headers = [one for one in found["payload"]["headers"] if one["name"] in wanted]
            found = {**found, "payload": {"mimeType": "multipart/mixed", "headers": headers}}
        return JSONResponse(found)

    def _refusal(self, request: Request) -> Response | None:
        query = request.query_params
        self.asked.append((request.url.path, {name: query.getlist(name) for name in query}))
        if self.trouble:
            return _problem(self.trouble.pop(0), f"trouble with {request.headers.get('authorization')}")
        if request.headers.get("authorization") not in {f"Bearer {token}" for token in self.tokens}:
            return _problem(401, "Request had invalid authentication credentials.")
        return None


def _problem(status: int, words: str) -> Response:
    return JSONResponse({"error": {"code": status, "message": words, "status": "X"}}, status)


@contextlib.asynccontextmanager
async def google() -> AsyncIterator[Google]:
    speaking = Google()
    app = Starlette(
        routes=[
            Route("/token", speaking.refresh, methods=["POST"]),
            Route("/gmail/v1/users/me/messages", speaking.listed),
            Route("/gmail/v1/users/me/messages/{id}", speaking.one),
        ]
    )
    async with serving(app, "127.0.0.1", 0) as port:
        speaking.url = f"http://127.0.0.1:{port}"
        yield speaking
