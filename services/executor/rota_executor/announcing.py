"""Says what this executor has to offer, at its start and again and again: what nobody says is gone."""

import asyncio
import contextlib

from rota_chassis import logs
from rota_executor.adapters import providers
from rota_executor.adapters.registry import Registry
from rota_executor.repository.offers import Offers

log = logs.logger(__name__)

PERIOD_SECONDS = 60.0
RETRY_SECONDS = 0.5


class Announcing:
    def __init__(self, offers: Offers, registry: Registry) -> None:
        self._offers = offers
        self._tools = [(tool.description, tool.source) for tool in registry.tools()]
        self._providers = [*registry.model_prefixes(), *providers.installed()]
        self.is_done = False

    async def announcing(self, stopping: asyncio.Event) -> None:
        """The loop."""
        while not stopping.is_set():
            try:
                await self._offers.announce(self._tools, self._providers)
                self.is_done = True
            except Exception as error:  # noqa: BLE001  the edge of a loop: said again soon
                log.warning("tools were not announced", action="announce_failed", error=repr(error))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), PERIOD_SECONDS if self.is_done else RETRY_SECONDS)

    async def check(self) -> None:
        """Raises until it was done once: before, the gateway refuses what names these tools."""
        if not self.is_done:
            raise ConnectionError("the tools are not announced yet")
