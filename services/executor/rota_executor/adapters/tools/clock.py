"""The date and time."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from rota_contracts.tools import ToolDescription
from rota_executor.adapters.registry import Registry
from rota_executor.calls import ToolCall

CLOCK = ToolDescription(
    name="clock",
    description="The date and time now.",
    effect="read",
    idempotent=True,
    parameters={
        "type": "object",
        "properties": {"timezone": {"type": "string", "description": "an IANA time zone; default UTC"}},
        "additionalProperties": False,
    },
)


def register(registry: Registry) -> None:
    registry.add_tool(CLOCK, now)


async def now(arguments: Mapping[str, Any], _call: ToolCall) -> str:
    name = str(arguments.get("timezone") or "UTC")
    try:
        zone = ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"{name!r} is no IANA time zone") from error
    return f"it is {datetime.now(zone):%A %Y-%m-%d %H:%M:%S} in {name}"
