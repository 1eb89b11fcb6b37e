"""http_get, http_request and web_page against a web server."""

import json
from typing import Any

import httpx2
import pytest
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from rota_chassis.redaction import Redactor
from rota_executor.adapters.fetching import Fetched
from rota_executor.adapters.tools.http import shown
from rota_executor.calls import AnsweredError, RefusedError
from tests.support.toolkit import CALL, a_network, a_site, tool


async def echo(request: Request) -> Response:
    body = (await request.body()).decode()
    return JSONResponse({"method": request.method, "headers": dict(request.headers), "body": body}, 201)


ROUTES = (
    Route("/json", lambda _: JSONResponse({"a": 1}, headers={"etag": '"7"'})),
    Route("/lead", lambda _: RedirectResponse("/json")),
    Route("/image", lambda _: Response(b"\x89PNG", media_type="image/png")),
    Route("/long", lambda _: PlainTextResponse("é" * 60_000)),
    Route("/page", lambda _: HTMLResponse("<title>T</title><h1>Hello</h1><script>x</script>")),
    Route("/missing", lambda _: PlainTextResponse("not here", 404), methods=["GET", "PUT"]),
    Route("/echo", echo, methods=["GET", "POST", "PUT", "PATCH", "DELETE"]),
)


async def called(name: str, path: str, **arguments: Any) -> str:
    async with a_site(*ROUTES) as port:
        found = tool(name, a_network(f"127.0.0.1:{port}"))
        told = {"url": f"http://127.0.0.1:{port}{path}", **arguments}
        assert found.problem(told) is None
        return (await found.run(told, CALL)).replace(f":{port}", "")


async def test_what_was_got_is_shown_with_its_status() -> None:
    text = 'HTTP 200 from http://127.0.0.1/json\ncontent-type: application/json\netag: "7"\n\n{"a":1}'
    assert await called("http_get", "/json") == text
    assert await called("http_get", "/lead") == text


@pytest.mark.parametrize("name", ["http_get", "http_request"])
async def test_an_answer_that_says_it_failed_is_a_failure_with_all_that_was_said(name: str) -> None:
    method = {"method": "PUT"} if name == "http_request" else {}
    with pytest.raises(AnsweredError, match=r"^HTTP 404 from http://127.0.0.1:\d+/missing$") as caught:
        await called(name, "/missing", **method)
    assert caught.value.answer.endswith("content-type: text/plain; charset=utf-8\n\nnot here")


async def test_what_is_no_text_is_not_shown() -> None:
    text = await called("http_get", "/image")
    assert text.endswith("content-type: image/png\n(4 bytes that are no text)")


async def test_a_long_text_is_cut_and_says_so() -> None:
    text = await called("http_get", "/long")
    assert text.count("é") == 50_000
    assert text.endswith("(cut: the first 50000 characters)")


async def test_no_half_of_a_secret_stands_where_a_long_text_is_cut() -> None:
    hidden = Redactor()
    hidden.add(["the-greenhouse-key"])
    body = ("x" * 49_990 + "the-greenhouse-key").encode()
    answer = Fetched(
        "http://127.0.0.1/", 200, httpx2.Headers({"content-type": "text/plain"}), body, is_cut=False
    )
    assert "the-green" not in shown(answer, hidden)


async def test_a_request_sends_what_it_was_told_and_a_key_for_being_sent_once() -> None:
    text = await called("http_request", "/echo", method="POST", json={"ü": 1}, headers={"X-One": "1"})
    assert text.startswith("HTTP 201 from http://127.0.0.1/echo")
    told = json.loads(text.partition("\n\n")[2])
    assert (told["method"], told["body"]) == ("POST", '{"ü": 1}')
    assert told["headers"] | {"x-one": "1", "content-type": "application/json"} == told["headers"]
    assert told["headers"]["idempotency-key"] == CALL.idempotency_key
    plain = await called("http_request", "/echo", method="PUT", body="text")
    assert json.loads(plain.partition("\n\n")[2])["body"] == "text"
    assert "HTTP 307" in await called("http_request", "/lead", method="GET")
    with pytest.raises(RefusedError, match="not both"):
        await called("http_request", "/echo", method="PUT", body="text", json=1)


async def test_a_page_is_read_as_text() -> None:
    assert await called("web_page", "/page") == "http://127.0.0.1/page\nT\n\n# Hello"
    assert await called("web_page", "/json") == 'http://127.0.0.1/json\n{"a":1}'
    with pytest.raises(ValueError, match="HTTP status 404"):
        await called("web_page", "/missing")
    with pytest.raises(ValueError, match="is no page but image/png"):
        await called("web_page", "/image")


@pytest.mark.parametrize("name", ["http_get", "http_request", "web_page"])
def test_they_are_annotated_as_what_they_are(name: str) -> None:
    described = tool(name).description
    writes = name == "http_request"
    assert (described.effect, described.policy) == (("write", "ask") if writes else ("read", "auto"))
    assert (described.open_world, described.idempotent) == (True, not writes)
    assert tool(name).problem({}) is not None
    assert tool(name).problem({"url": "https://example.org", "shell": "rm"}) is not None
