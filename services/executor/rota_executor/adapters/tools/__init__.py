"""The built-in tools: they look at this machine, at Rota's services and at the clock, and change nothing."""

from collections.abc import Mapping

from rota_contracts.tools import BUILT_IN
from rota_executor.adapters.registry import Registry
from rota_executor.adapters.tools import clock, health, machine


def register(registry: Registry, *, services: Mapping[str, str]) -> None:
    """Adds an implementation for each description; `services` are the base URLs for rota_health."""
    functions = {
        "machine_disk": machine.disk,
        "machine_memory": machine.memory,
        "machine_load": machine.load,
        "rota_health": health.looking_at(services),
        "clock": clock.now,
    }
    for description in BUILT_IN:
        registry.add_tool(description, functions[description.name])
