"""The tools of one run: those of this executor, and those of its context's MCP servers."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Protocol
from uuid import UUID

from rota_executor.adapters.mcp import McpServers, Server, UnreachableServerError
from rota_executor.adapters.registry import Registry, Tool
from rota_executor.calls import ToolCall
from rota_executor.errors import BlockedRunError


class Directory(Protocol):
    async def serving(self, context_id: UUID, names: Sequence[str]) -> list[Server]:
        """The servers of the context that have tools of these names."""
        ...


class Toolbox:
    def __init__(self, registry: Registry, found: dict[str, Tool]) -> None:
        self._registry = registry
        self._found = found

    def tool(self, name: str) -> Tool | None:
        return self._registry.tool(name) or self._found.get(name)

    def names(self) -> list[str]:
        return sorted({*(tool.name for tool in self._registry.tools()), *self._found})


class Toolboxes:
    def __init__(self, registry: Registry, servers: McpServers, directory: Directory) -> None:
        self.registry = registry
        self._servers = servers
        self._directory = directory

    @asynccontextmanager
    async def opened(self, names: Sequence[str], call: ToolCall) -> AsyncIterator[Toolbox]:
        """With connections to the servers that have what this executor has not.

        Raises:
            BlockedRunError: one of the servers cannot be reached.

        """
        unknown = [name for name in names if self.registry.tool(name) is None]
        servers = await self._directory.serving(call.context_id, unknown) if unknown else []
        async with AsyncExitStack() as stack:
            found: dict[str, Tool] = {}
            for server in servers:
                try:
                    connection = await stack.enter_async_context(self._servers.connected(server, call))
                except UnreachableServerError as error:
                    raise BlockedRunError(
                        f"The MCP server {server.name!r} cannot be reached: {error}. "
                        "Start it, or take its tools from the agent.",
                        cause=f"MCP server {server.name}",
                    ) from error
                found |= connection.tools()
            yield Toolbox(self.registry, found)
