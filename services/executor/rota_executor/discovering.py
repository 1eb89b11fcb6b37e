"""Looks into the MCP servers of contexts for their tools, so that agents can be linked with them."""

import asyncio
from uuid import UUID

from rota_chassis import logs
from rota_executor.adapters.mcp import McpServers, Server, UnreachableServerError
from rota_executor.calls import Credentials, ToolCall
from rota_executor.repository.mcp import McpRepository

log = logs.logger(__name__)

AT_ONCE = 5
NOBODY = UUID(int=0)


class Discovering:
    def __init__(self, repository: McpRepository, servers: McpServers, credentials: Credentials) -> None:
        self._repository = repository
        self._servers = servers
        self._credentials = credentials

    async def discover(self) -> int:
        """Looks into those that are new, changed, or were not looked into for long; how many."""
        claimed = await self._repository.claim(AT_ONCE)
        await asyncio.gather(*(self._look(server) for server in claimed))
        return len(claimed)

    async def _look(self, server: Server) -> None:
        call = ToolCall(
            server.context_id, NOBODY, NOBODY, f"discover/{server.name}", credentials=self._credentials
        )
        try:
            async with self._servers.connected(server, call) as connection:
                await self._repository.found(server, connection.offered, connection.problem)
            if connection.problem:
                _tell(server, connection.problem)
        except UnreachableServerError as error:
            _tell(server, str(error))
            await self._repository.not_found(server, str(error))


def _tell(server: Server, error: str) -> None:
    log.info("tools of an MCP server cannot be had", action="mcp_failed", server=server.name, error=error)
