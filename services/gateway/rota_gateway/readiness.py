"""The gateway is ready when the whole path is."""

import asyncio
import urllib.error
import urllib.request
from collections.abc import Mapping

from rota_bus import Bus
from rota_chassis.errors import RetryableError
from rota_chassis.health import Check
from rota_store import Database

TIMEOUT_SECONDS = 2.0
# No proxy stands between the services, whatever the environment says for the world outside.
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class NotReadyError(RetryableError):
    """A service that the path needs does not say that it is ready."""


def checks(database: Database, bus: Bus, service_urls: Mapping[str, str]) -> dict[str, Check]:
    own: dict[str, Check] = {"postgresql": database.check, "nats": bus.check}
    return own | {name: _check_of(url) for name, url in service_urls.items()}


def _check_of(url: str) -> Check:
    async def check() -> None:
        await asyncio.to_thread(_require_ready, url)

    return check


def _require_ready(url: str) -> None:
    try:
        _opener.open(f"{url}/readyz", timeout=TIMEOUT_SECONDS).close()
    except urllib.error.HTTPError as error:
        error.close()
        raise NotReadyError(f"{url}/readyz answers {error.code}") from error
    except OSError as error:
        raise NotReadyError(f"no answer from {url}: {error}") from error
