"""One request of a tool and what came back: bounded in size and redirects."""

import re
import zlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

import httpx2

from rota_executor.adapters.readable import charset_of
from rota_executor.calls import RefusedError

MAX_BYTES = 2 * 1024 * 1024
MAX_REDIRECTS = 5
REDIRECTS = frozenset({301, 302, 303, 307, 308})
# What the connection needs said in its own way.
OWN_HEADERS = frozenset(
    {"host", "content-length", "transfer-encoding", "connection", "upgrade", "te", "trailer", "keep-alive"}
    | {"accept-encoding", "proxy-authorization", "proxy-connection"}
)
HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")
TEXT = re.compile(r"text/|.*[/+](json|xml|yaml|javascript|x-www-form-urlencoded|csv|x-ndjson)\b")


class UnreachableError(OSError):
    """Nobody answered there, or not to the end."""


@dataclass(frozen=True)
class Fetched:
    """`body` is at most MAX_BYTES of the answer; `is_cut` says that there is more."""

    url: str
    status: int
    headers: httpx2.Headers
    body: bytes
    is_cut: bool

    @property
    def content_type(self) -> str:
        return self.headers.get("content-type", "").strip()

    @property
    def text(self) -> str | None:
        """What stands in it, None where it is no text."""
        kind = self.content_type.partition(";")[0].strip().lower()
        if kind and not TEXT.match(kind):
            return None
        if not kind and b"\0" in self.body:
            return None
        return self.body.decode(charset_of(self.content_type), "replace")


async def fetch(
    client: httpx2.AsyncClient,
    method: str,
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    content: bytes | None = None,
    follow: bool = False,
) -> Fetched:
    """Sends a request and reads the answer; with `follow` also where it leads on to, by GET alone.

    Raises:
        RefusedError: it, or where it leads, is nowhere a tool may go.
        UnreachableError: it could not be sent, or the answer broke off.

    """
    sent = _checked_headers(headers or {})
    for _ in range(MAX_REDIRECTS + 1):
        target = parsed(url)
        # Unpacking is ours: what is small on the wire may be without end.
        request = client.build_request(
            method, target, headers={**sent, "accept-encoding": "identity"}, content=content
        )
        response = await _sent(client, request)
        try:
            location = response.headers.get("location")
            if not (follow and location and response.status_code in REDIRECTS):
                body, is_cut = await _read(response, target.host)
                return Fetched(str(target), response.status_code, response.headers, body, is_cut)
        finally:
            await response.aclose()
        following = target.join(location)
        if _origin(following) != _origin(target):
            sent = {}  # they were for the one who was asked
        url = str(following)
    raise RefusedError(f"it leads on and on: after {MAX_REDIRECTS} redirects it still was not there")


def parsed(url: str) -> httpx2.URL:
    """Raises RefusedError for what is no address of the web."""
    try:
        found = httpx2.URL(url)
    except (httpx2.InvalidURL, UnicodeError, ValueError) as error:
        raise RefusedError(f"{url[:200]!r} is no address: {error}") from error
    if found.scheme not in {"http", "https"} or not found.host:
        raise RefusedError(f"{url[:200]!r} is no address that begins with http:// or https://")
    if found.userinfo:
        raise RefusedError("an address with a name or password in it is not taken")
    return found


def _origin(url: httpx2.URL) -> tuple[str, bytes, int | None]:
    return url.scheme, url.raw_host, url.port


def _checked_headers(headers: Mapping[str, str]) -> dict[str, str]:
    for name, value in headers.items():
        if not HEADER.fullmatch(name) or any(character in value for character in "\r\n\0"):
            raise RefusedError(f"{name[:100]!r} is no header")
        if name.lower() in OWN_HEADERS:
            raise RefusedError(f"the header {name!r} cannot be set")
    return dict(headers)


async def _sent(client: httpx2.AsyncClient, request: httpx2.Request) -> httpx2.Response:
    try:
        return await client.send(request, stream=True)
    except httpx2.TransportError as error:
        raise _unreachable(request.url.host, error) from error


async def _read(response: httpx2.Response, host: str) -> tuple[bytes, bool]:
    body = bytearray()
    try:
        async for chunk in _unpacked(response):
            body += chunk
            if len(body) > MAX_BYTES:
                return bytes(body[:MAX_BYTES]), True
    except httpx2.TransportError as error:
        raise _unreachable(host, error) from error
    return bytes(body), False


def _unreachable(host: str, error: httpx2.TransportError) -> UnreachableError:
    if isinstance(error, httpx2.TimeoutException):
        return UnreachableError(f"{host!r} did not answer in time")
    return UnreachableError(f"{host!r} cannot be reached: {error or type(error).__name__}")


async def _unpacked(response: httpx2.Response) -> AsyncIterator[bytes]:
    """The answer piece by piece, each at most MAX_BYTES and a bit, also where it comes packed unasked."""
    coding = response.headers.get("content-encoding", "identity").strip().lower()
    if coding in {"", "identity"}:
        async for chunk in response.aiter_raw():
            yield chunk
        return
    if coding not in {"gzip", "x-gzip", "deflate"}:
        raise RefusedError(f"the answer is packed as {coding[:50]!r}, which was not asked for")
    unpacking = zlib.decompressobj(zlib.MAX_WBITS | 32)
    try:
        async for chunk in response.aiter_raw():
            yield unpacking.decompress(chunk, MAX_BYTES + 1)
    except zlib.error as error:
        raise RefusedError(f"the answer cannot be unpacked: {error}") from error
