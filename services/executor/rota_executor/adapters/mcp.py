"""MCP servers: a connection for as long as a run needs it, their tools as ours, behind the same wrapper."""

import asyncio
import os
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any
from uuid import UUID

import httpx2
from msgspec import Struct

from rota_chassis import logs
from rota_contracts.tools import Effect
from rota_executor.adapters import mcp_program
from rota_executor.adapters.failures import reason
from rota_executor.adapters.mcp_tools import bounded, described, listed, said
from rota_executor.adapters.network import Network
from rota_executor.adapters.registry import Tool, ToolFunction
from rota_executor.adapters.tools.http import signing
from rota_executor.calls import AnsweredError, ToolCall
from rota_executor.domain import clean

if TYPE_CHECKING:
    from mcp import Client
    from mcp.client import Transport
    from mcp.types import Tool as ServersTool

log = logs.logger(__name__)

# A server that has to be started may have to be fetched first.
CONNECT_SECONDS = 30.0
# What a program may take that does not want to end.
LEAVE_SECONDS = 10.0
# Between two pieces of what a server says; how long a call may take, its guard says.
READ_SECONDS = 300.0
# Of one answer; the client itself bounds the pieces of one that is streamed.
MAX_BYTES = 10_000_000


class Server(Struct, frozen=True, kw_only=True):
    """As its context configures it; `effects` is what is known better than the server says."""

    id: UUID
    context_id: UUID
    name: str
    generation: int
    url: str | None = None
    credential: str | None = None
    command: str | None = None
    allowed_tools: list[str] | None = None
    effects: dict[str, Effect] = {}


class UnreachableServerError(Exception):
    """It cannot be reached, or does not speak the protocol; says why."""


class McpServers:
    """`commands` are those that the operator lets contexts start, by their names."""

    def __init__(self, network: Network, commands: Mapping[str, Sequence[str]]) -> None:
        self._network = network
        self._commands = commands
        self._holding: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def connected(self, server: Server, call: ToolCall) -> AsyncIterator["Connection"]:
        """A connection. It is not waited for that the server is left: a run need not outlast what it used.

        Raises:
            UnreachableServerError: there is none.

        """
        ready: asyncio.Future[Connection] = asyncio.get_running_loop().create_future()
        through = asyncio.Event()
        holding = asyncio.create_task(self._hold(server, call, ready, through), name=f"mcp-{server.name}")
        self._holding.add(holding)
        holding.add_done_callback(self._holding.discard)
        try:
            yield await asyncio.shield(ready)
        finally:
            through.set()
            if not ready.done():
                ready.cancel()
                holding.cancel()

    async def aclose(self) -> None:
        """Waits until all servers are left: programs that were started are ended."""
        if self._holding:
            await asyncio.wait(set(self._holding), timeout=LEAVE_SECONDS)

    async def _hold(
        self, server: Server, call: ToolCall, ready: "asyncio.Future[Connection]", through: asyncio.Event
    ) -> None:
        """Holds the connection, in a task of its own.

        A server that ends badly does not end the run; what stops the run, however often, does not keep a
        program from being ended.
        """
        from mcp import Client  # noqa: PLC0415  slow, and not needed before

        try:
            async with AsyncExitStack() as stack:
                async with asyncio.timeout(CONNECT_SECONDS):
                    transport = await self._transport(server, call, stack)
                    client = await stack.enter_async_context(Client(transport, cache=None))
                    tools = await listed(client)
                if not ready.done():
                    ready.set_result(Connection(server, client, tools))
                await through.wait()
        except Exception as error:  # noqa: BLE001  whatever it is, it is the server's, or nobody needs it any more
            first = _first(error)
            if ready.done():
                log.info(
                    "an MCP server was left badly", action="mcp_left", server=server.name, error=repr(first)
                )
                return
            late = isinstance(first, TimeoutError)
            why = f"it did not answer within {CONNECT_SECONDS:g} s" if late else reason(first, call.hidden)
            ready.set_exception(UnreachableServerError(clean(why)))
        finally:
            if not ready.done():
                ready.set_exception(UnreachableServerError("it ended while it was connected to"))

    async def _transport(self, server: Server, call: ToolCall, stack: AsyncExitStack) -> "Transport":
        if server.url is None:
            return self._started(server, stack)
        from mcp.client.streamable_http import streamable_http_client  # noqa: PLC0415  as above

        headers = {}
        if server.credential:
            header, value = await signing(server.credential, server.url, call, self._network)
            headers[header] = value
        http = self._network.client(call.context_id, seconds=READ_SECONDS)
        http.headers.update(headers)
        http.headers["accept-encoding"] = "identity"
        http.event_hooks = {"response": [_bound]}
        await stack.enter_async_context(http)
        return streamable_http_client(server.url, http_client=http)

    def _started(self, server: Server, stack: AsyncExitStack) -> "Transport":
        from mcp.client.stdio import StdioServerParameters, stdio_client  # noqa: PLC0415  as above

        command = self._commands.get(server.command or "")
        if not command:
            known = ", ".join(sorted(self._commands)) or "none"
            raise LookupError(
                f"the operator of the executor lists no command {server.command!r} "
                f"in EXECUTOR_MCP_COMMANDS; there are: {known}"
            )
        program = shutil.which(command[0])
        if program is None:
            raise FileNotFoundError(
                f"the operator's command {server.command!r} is no program: {command[0]!r}"
            )
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="rota-mcp-"))
        arguments = ["-I", "-S", mcp_program.__file__, str(os.getpid()), program, *command[1:]]
        # With no more of our environment than where programs are found.
        return stdio_client(StdioServerParameters(command=sys.executable, args=arguments, cwd=folder))


class Connection:
    def __init__(self, server: Server, client: "Client", tools: Sequence["ServersTool"]) -> None:
        """`offered` are the tools that the context allows, each with what it is called there.

        `problem`: why there are not more of them.
        """
        self._server = server
        self._client = client
        found, self.problem = bounded(tools, server.allowed_tools)
        self.offered = [
            (described(server.name, tool, server.effects.get(tool.name)), tool.name) for tool in found
        ]

    def tools(self) -> dict[str, Tool]:
        source = f"mcp:{self._server.name}"
        return {one.name: Tool(one, self._calling(name), source) for one, name in self.offered}

    def _calling(self, name: str) -> ToolFunction:
        async def call(arguments: Mapping[str, Any], _call: ToolCall) -> str:
            result = await self._client.call_tool(name, dict(arguments))
            text = said(result)
            if result.is_error:
                raise AnsweredError(text or "the server says that it failed, and not why")
            return text

        return call


class _Bounded(httpx2.AsyncByteStream):
    def __init__(self, stream: httpx2.AsyncByteStream) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Raises ReadError: there is more than is read of an answer."""
        size = 0
        async for piece in self._stream:
            size += len(piece)
            if size > MAX_BYTES:
                raise httpx2.ReadError(f"it answered with more than {MAX_BYTES:,} bytes")
            yield piece

    async def aclose(self) -> None:
        await self._stream.aclose()


async def _bound(response: httpx2.Response) -> None:
    """A server must not fill the memory that other runs need."""
    if response.headers.get("content-encoding", "identity") != "identity":
        raise httpx2.ReadError("it answered in an encoding that it was not asked for")
    is_streamed = response.headers.get("content-type", "").startswith("text/event-stream")
    if not is_streamed and isinstance(response.stream, httpx2.AsyncByteStream):
        response.stream = _Bounded(response.stream)


def _first(error: BaseException) -> BaseException:
    """What was the matter, out of the groups that the client's tasks put around it."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
