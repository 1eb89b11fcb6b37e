"""How full, how busy: facts about the machine that the executor runs on."""

import asyncio
import os
from collections.abc import Mapping
from typing import Any

import psutil


async def disk(arguments: Mapping[str, Any]) -> str:
    path = str(arguments.get("path") or "/")
    # A network disk may hang; the event loop must not.
    usage = await asyncio.to_thread(psutil.disk_usage, path)
    return f"disk {path} {round(usage.percent)}% full"


async def memory(arguments: Mapping[str, Any]) -> str:  # noqa: ARG001  every tool gets arguments
    return f"memory {round(psutil.virtual_memory().percent)}% used"


async def load(arguments: Mapping[str, Any]) -> str:  # noqa: ARG001  every tool gets arguments
    average, _, _ = psutil.getloadavg()
    cores = psutil.cpu_count() or os.cpu_count() or 1
    return f"load {average:.1f} on {cores} cores"
