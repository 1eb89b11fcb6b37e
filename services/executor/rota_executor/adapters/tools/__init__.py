"""The built-in tools, one file per kind."""

from collections.abc import Mapping

from rota_executor.adapters.registry import Registry
from rota_executor.adapters.tools import clock, health, machine


def register(registry: Registry, *, services: Mapping[str, str]) -> None:
    """Adds them all; `services` are the base URLs for rota_health."""
    machine.register(registry)
    health.register(registry, services)
    clock.register(registry)
