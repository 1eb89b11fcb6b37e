"""What MCP servers say of their tools, and what their tools say: as much of it as is let in."""

import json
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from rota_contracts.mcp import tool_name
from rota_contracts.tools import Effect, ToolDescription
from rota_executor.domain import clean

if TYPE_CHECKING:
    from mcp import Client
    from mcp.types import CallToolResult
    from mcp.types import Tool as ServersTool

# Models are told of each tool with each request, and all of them stand in PostgreSQL.
MAX_TOOLS = 500
# Of the name, the description and the JSON Schema of one, as JSON in UTF-8.
MAX_BYTES = 65_536
MAX_DESCRIPTION = 2_000
# How many of those that are left out are named, and how much of each name.
NAMED, MAX_NAME = 3, 100


async def listed(client: "Client") -> list["ServersTool"]:
    """The first tools of a server; where there are too many, one more than are let in."""
    tools: list[ServersTool] = []
    cursor: str | None = None
    while True:
        page = await client.list_tools(cursor=cursor)
        tools += page.tools
        cursor = page.next_cursor
        if not cursor or len(tools) > MAX_TOOLS:
            return tools[: MAX_TOOLS + 1]


def bounded(
    tools: Sequence["ServersTool"], allowed: Collection[str] | None
) -> tuple[list["ServersTool"], str | None]:
    """The tools that are let in, and why the others are not, for people; None where nobody misses one."""
    wanted = [tool for tool in tools[:MAX_TOOLS] if allowed is None or tool.name in allowed]
    sizes = [(tool, size(tool)) for tool in wanted]
    large = [(tool.name[:MAX_NAME], taken) for tool, taken in sizes if taken > MAX_BYTES]
    problems = []
    if large:
        named = [f"{name!r} ({taken:,} bytes)" for name, taken in large[:NAMED]]
        more = f" and {len(large) - NAMED} more" if len(large) > NAMED else ""
        problems.append(
            f"left out, because their names, descriptions and schemas are larger than {MAX_BYTES:,} bytes: "
            f"{', '.join(named)}{more}"
        )
    if len(tools) > MAX_TOOLS:
        last = tools[MAX_TOOLS - 1].name[:MAX_NAME]
        problems.append(f"it has more than {MAX_TOOLS} tools: those after {last!r} are left out")
    return [tool for tool, taken in sizes if taken <= MAX_BYTES], clean("; ".join(problems)) or None


def size(tool: "ServersTool") -> int:
    """How much a server says of a tool, in bytes."""
    about = [tool.name, tool.title, tool.description, tool.input_schema]
    return len(json.dumps(about, ensure_ascii=False).encode(errors="replace"))


def described(server: str, tool: "ServersTool", effect: Effect | None) -> ToolDescription:
    """The tool as models and people see it; what its server does not say to only read may write.

    `effect`: what is known better than the server says.
    """
    hints = tool.annotations
    return ToolDescription(
        name=tool_name(server, tool.name),
        description=(tool.description or tool.title or tool.name)[:MAX_DESCRIPTION],
        effect=effect or ("read" if hints and hints.read_only_hint else "write"),
        parameters=tool.input_schema,
        idempotent=bool(hints and hints.idempotent_hint),
        open_world=not hints or hints.open_world_hint is not False,
    )


def said(result: "CallToolResult") -> str:
    """What a server answered, as text; of what is none, what it is."""
    texts = []
    for block in result.content:
        text = getattr(block, "text", None)
        if text is None and (resource := getattr(block, "resource", None)) is not None:
            text = getattr(resource, "text", None)
        if text is None:
            text = f"({getattr(block, 'mime_type', None) or block.type}, which is no text)"
        texts.append(text)
    if not texts and result.structured_content is not None:
        return json.dumps(result.structured_content, ensure_ascii=False)
    return "\n".join(texts)
