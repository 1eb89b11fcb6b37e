"""A tool that does nothing, as a plug-in of the executor: for measuring alone."""

from collections.abc import Mapping
from typing import Any

from rota_contracts.tools import ToolDescription
from rota_executor.adapters.registry import Registry
from rota_executor.calls import ToolCall


def register(registry: Registry) -> None:
    description = ToolDescription(
        name="noop",
        description="Does nothing.",
        effect="read",
        parameters={"type": "object", "properties": {}, "additionalProperties": False},
    )
    registry.add_tool(description, noop)


async def noop(_arguments: Mapping[str, Any], _call: ToolCall) -> str:
    return "r" * 200
