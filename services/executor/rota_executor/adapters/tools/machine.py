"""How full, how busy: facts about the machine that the executor runs on."""

import asyncio
import os
from collections.abc import Mapping
from typing import Any

import psutil

from rota_contracts.tools import ToolDescription
from rota_executor.adapters.registry import Registry
from rota_executor.calls import ToolCall


def _description(name: str, description: str, **properties: Any) -> ToolDescription:
    schema = {"type": "object", "properties": properties, "additionalProperties": False}
    return ToolDescription(
        name=name, description=description, effect="read", idempotent=True, parameters=schema
    )


DISK = _description(
    "machine_disk",
    "How full the disks of this machine are.",
    path={"type": "string", "description": "a path on the disk to look at; default /"},
)
MEMORY = _description("machine_memory", "How much of this machine's memory is used.")
LOAD = _description("machine_load", "The load of this machine and the number of its cores.")


def register(registry: Registry) -> None:
    registry.add_tool(DISK, disk)
    registry.add_tool(MEMORY, memory)
    registry.add_tool(LOAD, load)


async def disk(arguments: Mapping[str, Any], _call: ToolCall) -> str:
    path = str(arguments.get("path") or "/")
    # A network disk may hang; the event loop must not.
    usage = await asyncio.to_thread(psutil.disk_usage, path)
    return f"disk {path} {round(usage.percent)}% full"


async def memory(_arguments: Mapping[str, Any], _call: ToolCall) -> str:
    return f"memory {round(psutil.virtual_memory().percent)}% used"


async def load(_arguments: Mapping[str, Any], _call: ToolCall) -> str:
    average, _, _ = psutil.getloadavg()
    cores = psutil.cpu_count() or os.cpu_count() or 1
    return f"load {average:.1f} on {cores} cores"
