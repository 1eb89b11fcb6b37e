"""A greenhouse as an MCP server: the package's own server, over HTTP on a port, or as a program."""

import contextlib
import sys
from collections.abc import AsyncIterator
from pathlib import Path

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import ToolAnnotations
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from rota_chassis.health import serving

COMMAND = [sys.executable, str(Path(__file__))]


class Greenhouse:
    """`watered` are the beds that were; `headers` what the last request came with."""

    def __init__(self) -> None:
        self.watered: list[int] = []
        self.headers: dict[str, str] = {}
        self.server = MCPServer("greenhouse")

        @self.server.tool(
            description="The temperature of a bed.", annotations=ToolAnnotations(read_only_hint=True)
        )
        def temperature(bed: int) -> str:
            if bed > 9:
                raise ToolError(f"there is no bed {bed}")
            return f"bed {bed} has 21 degrees"

        @self.server.tool(description="Waters a bed.")
        def water(bed: int) -> str:
            self.watered.append(bed)
            return f"bed {bed} is wet"

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[str]:
        """Its address while the block runs."""
        app = self.server.streamable_http_app()

        async def noting(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "http":
                self.headers = dict(Request(scope).headers)
            await app(scope, receive, send)

        async with self.server.session_manager.run(), serving(noting, "127.0.0.1", 0) as port:
            yield f"http://127.0.0.1:{port}/mcp"


if __name__ == "__main__":
    Greenhouse().server.run("stdio")
