"""The built-in tools, one file per kind."""

from collections.abc import Mapping
from dataclasses import dataclass

from rota_executor.adapters.network import Network
from rota_executor.adapters.registry import Registry
from rota_executor.adapters.tools import (
    clock,
    gmail,
    health,
    http,
    job_notebook,
    machine,
    notification,
    report_outcome,
    web_page,
)
from rota_executor.notices import Notices
from rota_executor.repository.notebooks import Notebooks


@dataclass(frozen=True)
class Surroundings:
    """What tools work with; `services` are the base URLs of Rota's own."""

    services: Mapping[str, str]
    network: Network
    gmail: gmail.Gmail
    notebooks: Notebooks
    notices: Notices


def register(registry: Registry, around: Surroundings) -> None:
    """Adds them all."""
    machine.register(registry)
    health.register(registry, around.services)
    clock.register(registry)
    http.register(registry, around.network)
    web_page.register(registry, around.network)
    gmail.register(registry, around.gmail)
    job_notebook.register(registry, around.notebooks)
    notification.register(registry, around.notices)
    report_outcome.register(registry)
