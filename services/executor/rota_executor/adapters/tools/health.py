"""Which of Rota's own services answer."""

import asyncio
from collections.abc import Mapping
from typing import Any

import httpx2

from rota_contracts.tools import ToolDescription
from rota_executor.adapters.registry import Registry, ToolFunction
from rota_executor.calls import ToolCall

TIMEOUT_SECONDS = 2.0
HEALTH = ToolDescription(
    name="rota_health",
    description="Which of Rota's own services answer, and which do not.",
    effect="read",
    idempotent=True,
    parameters={"type": "object", "properties": {}, "additionalProperties": False},
)


def register(registry: Registry, services: Mapping[str, str]) -> None:
    registry.add_tool(HEALTH, looking_at(services))


def looking_at(services: Mapping[str, str]) -> ToolFunction:
    """The tool that asks each of the services, by name and base URL, whether it is alive."""

    async def health(_arguments: Mapping[str, Any], _call: ToolCall) -> str:
        if not services:
            return "no services are known to the executor (EXECUTOR_SERVICE_URLS is empty)"
        async with httpx2.AsyncClient(timeout=TIMEOUT_SECONDS, trust_env=False) as client:
            answers = await asyncio.gather(*(_is_alive(client, url) for url in services.values()))
        return "\n".join(
            f"service {name} {'is ready' if alive else 'failed'}"
            for name, alive in zip(services, answers, strict=True)
        )

    return health


async def _is_alive(client: httpx2.AsyncClient, url: str) -> bool:
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            return (await client.get(f"{url}/livez")).is_success
    except (httpx2.HTTPError, httpx2.InvalidURL, TimeoutError, OSError):
        return False
