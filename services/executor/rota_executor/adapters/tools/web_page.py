"""The text of a page, without what is around it."""

import asyncio
from collections.abc import Mapping
from typing import Any

from rota_contracts.tools import ToolDescription
from rota_executor.adapters.fetching import fetch
from rota_executor.adapters.network import Network
from rota_executor.adapters.readable import readable
from rota_executor.adapters.registry import Registry, ToolFunction
from rota_executor.adapters.tools.http import TIMEOUT_SECONDS, URL
from rota_executor.calls import ToolCall

MAX_SHOWN = 30_000
ACCEPT = {"accept": "text/html, text/plain;q=0.8"}
HTML = ("text/html", "application/xhtml+xml")

PAGE = ToolDescription(
    name="web_page",
    description="Reads a page of the web: its title and its text, without menus and scripts.",
    effect="read",
    idempotent=True,
    open_world=True,
    timeout_seconds=TIMEOUT_SECONDS,
    parameters={
        "type": "object",
        "properties": {"url": URL},
        "required": ["url"],
        "additionalProperties": False,
    },
)


def register(registry: Registry, network: Network) -> None:
    registry.add_tool(PAGE, reading(network))


def reading(network: Network) -> ToolFunction:
    async def read(arguments: Mapping[str, Any], call: ToolCall) -> str:
        async with network.client(call.context_id, seconds=TIMEOUT_SECONDS) as client:
            answer = await fetch(client, "GET", arguments["url"], headers=ACCEPT, follow=True)
        if not 200 <= answer.status < 300:
            raise ValueError(f"HTTP status {answer.status} from {answer.url}")
        kind = answer.content_type.partition(";")[0].strip().lower()
        if kind in HTML or not kind:
            # It may take a second, and other runs go on.
            text = await asyncio.to_thread(readable, answer.body, answer.content_type)
        elif (text := answer.text or "") == "":
            raise ValueError(f"{answer.url} is no page but {kind}")
        cut = f"\n(cut: the first {MAX_SHOWN} characters)" if len(text) > MAX_SHOWN or answer.is_cut else ""
        return f"{answer.url}\n{text[:MAX_SHOWN]}{cut}"

    return read
