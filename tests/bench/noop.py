"""A tool that does nothing: a plug-in of the executor (EXECUTOR_PLUGINS=tests.bench.noop), for measuring alone."""

from collections.abc import Mapping
from typing import Any

from rota_contracts.tools import ToolDescription
from rota_executor.adapters.registry import Registry


def register(registry: Registry) -> None:
    description = ToolDescription(
        name="noop",
        description="Does nothing.",
        effect="read",
        parameters={"type": "object", "properties": {}, "additionalProperties": False},
    )
    registry.add_tool(description, noop)


async def noop(_arguments: Mapping[str, Any]) -> str:
    return "r" * 200
