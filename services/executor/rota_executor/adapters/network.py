"""HTTP for tools: to public addresses, and to those hosts that the context allows.

A name is resolved once, every address that it has is checked, and the connection is made to an address that
was checked: what the name resolves to a moment later makes no difference. Proxies of the surroundings are
not used: they would resolve names by themselves.
"""

import asyncio
import functools
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from uuid import UUID

import httpx2

from rota_executor.adapters.addresses import is_allowed, is_public
from rota_executor.calls import RefusedError

AllowedHosts = Callable[[UUID], Awaitable[frozenset[str]]]
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
CONNECT_SECONDS = 5.0
PORTS = {"http": 80, "https": 443}
USER_AGENT = "rota"


class Network:
    """`allowed_hosts` tells which hosts a context may reach wherever they are."""

    def __init__(
        self,
        allowed_hosts: AllowedHosts,
        *,
        resolve: Resolve | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._allowed_hosts = allowed_hosts
        self._resolve = resolve or resolved
        self._tls = tls

    async def is_private(self, context_id: UUID, host: str, port: int) -> bool:
        """Whether the context allows this host wherever it is."""
        return is_allowed(host, port, await self._allowed_hosts(context_id))

    def client(self, context_id: UUID, *, seconds: float, **options: Any) -> httpx2.AsyncClient:
        """A client for the calls of one tool; it follows no redirect by itself."""
        transport = CheckedTransport(
            # A connection is for one host: kept by its address it would serve another one of that address.
            httpx2.AsyncHTTPTransport(
                verify=self._tls or default_tls(),
                trust_env=False,
                limits=httpx2.Limits(max_keepalive_connections=0),
            ),
            functools.partial(self._allowed_hosts, context_id),
            self._resolve,
        )
        return httpx2.AsyncClient(
            transport=transport,
            timeout=httpx2.Timeout(seconds, connect=CONNECT_SECONDS),
            follow_redirects=False,
            trust_env=False,
            headers={"user-agent": USER_AGENT},
            **options,
        )


class CheckedTransport(httpx2.AsyncBaseTransport):
    def __init__(
        self,
        inner: httpx2.AsyncBaseTransport,
        allowed: Callable[[], Awaitable[frozenset[str]]],
        resolve: Resolve,
    ) -> None:
        self._inner = inner
        self._allowed = allowed
        self._resolve = resolve

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Sends the request to an address of its host that was checked.

        Raises:
            RefusedError: a tool may not send a request there.
            httpx2.TransportError: it could not be sent.

        """
        url = request.url
        if url.scheme not in PORTS:
            raise RefusedError(f"{url.scheme!r} is no scheme for a tool: only http and https are")
        host, port = url.raw_host.decode(), url.port or PORTS[url.scheme]
        addresses = await self._checked(host, port)
        for address in addresses[:-1]:
            try:
                return await self._send(request, host, address)
            except (httpx2.ConnectError, httpx2.ConnectTimeout):
                continue
        return await self._send(request, host, addresses[-1])

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def _checked(self, host: str, port: int) -> Sequence[str]:
        try:
            addresses = await self._resolve(host, port)
        except (OSError, UnicodeError) as error:
            if isinstance(error, socket.gaierror) and error.errno == socket.EAI_AGAIN:
                raise httpx2.ConnectError("its name could not be looked up") from error
            raise RefusedError(f"the host {host!r} is not known") from error
        if all(is_public(address) for address in addresses) or is_allowed(host, port, await self._allowed()):
            return addresses
        raise RefusedError(
            f"the host {host!r} is at no public address; "
            "an administrator may allow it in allowed_hosts of the context"
        )

    async def _send(self, request: httpx2.Request, host: str, address: str) -> httpx2.Response:
        """The name stays in the Host header and in the check of the certificate."""
        return await self._inner.handle_async_request(
            httpx2.Request(
                request.method,
                request.url.copy_with(host=address),
                headers=request.headers,
                stream=request.stream,
                extensions={**request.extensions, "sni_hostname": host},
            )
        )


async def resolved(host: str, port: int) -> Sequence[str]:
    """All addresses of a host, each once."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


@functools.cache
def default_tls() -> ssl.SSLContext:
    """The authorities that this system, or SSL_CERT_FILE, trusts; reading them takes a while."""
    return ssl.create_default_context()
