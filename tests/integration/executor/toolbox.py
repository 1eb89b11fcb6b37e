"""Tools for tests, as a plug-in of the executor."""

import asyncio
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from rota_contracts.tools import ToolDescription
from rota_executor.adapters.registry import Registry
from rota_executor.calls import ToolCall

calls: list[dict[str, Any]] = []
# When a call that hung was stopped.
stops: list[datetime] = []


def register(registry: Registry) -> None:
    reading = (recorded, broken, blocking, hanging, full, telling, failing_with_secret)
    for tool in (*reading, writing, writing_and_failing):
        registry.add_tool(
            ToolDescription(
                name=tool.__name__,
                description="A tool.",
                effect="write" if tool.__name__.startswith("writing") else "read",
                parameters={"type": "object"},
            ),
            tool,
        )


async def recorded(arguments: Mapping[str, Any], call: ToolCall) -> str:
    """Writes down that it ran."""
    calls.append(dict(arguments))
    return "the answer is 42"


async def broken(arguments: Mapping[str, Any], call: ToolCall) -> str:
    raise RuntimeError("the pump is jammed")


async def blocking(arguments: Mapping[str, Any], call: ToolCall) -> str:
    """Blocks a thread, as a careless library would."""
    await asyncio.to_thread(time.sleep, float(arguments["seconds"]))
    return "it is over"


async def hanging(arguments: Mapping[str, Any], call: ToolCall) -> str:
    try:
        await asyncio.Event().wait()
    finally:
        stops.append(datetime.now(UTC))
    return "never"


async def writing(arguments: Mapping[str, Any], call: ToolCall) -> str:
    calls.append(dict(arguments))
    return "written"


async def writing_and_failing(arguments: Mapping[str, Any], call: ToolCall) -> str:
    calls.append(dict(arguments))
    raise RuntimeError("half of it is written")


async def full(arguments: Mapping[str, Any], call: ToolCall) -> str:
    return "memory 12% used\ndisk /data 97% full\nservice ticker failed"


async def telling(arguments: Mapping[str, Any], call: ToolCall) -> str:
    """A careless tool that repeats what it signs in with."""
    credential = await call.credential("greenhouse", "secret")
    return f"signed in with {credential.secrets['value']}"


async def failing_with_secret(arguments: Mapping[str, Any], call: ToolCall) -> str:
    credential = await call.credential("greenhouse", "secret")
    raise RuntimeError(f"refused: {credential.secrets['value']}")
