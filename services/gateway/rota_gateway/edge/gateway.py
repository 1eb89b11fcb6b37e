"""What every request works with."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from uuid import UUID

from starlette.requests import HTTPConnection, Request

from rota_bus import Bus
from rota_chassis import logs
from rota_chassis.errors import RetryableError
from rota_contracts.events import Event
from rota_gateway.edge.rate import FailureLimit
from rota_gateway.errors import UnavailableError
from rota_gateway.live import Hub
from rota_gateway.repository.connection import Connection
from rota_gateway.settings import GatewaySettings
from rota_store import Database, is_contention, is_transient
from rota_vault import Vault

log = logs.logger(__name__)

# A caller does not wait longer for what the ticker finds in the table anyway.
PUBLISH_SECONDS = 3.0


@dataclass(frozen=True)
class Gateway:
    settings: GatewaySettings
    database: Database
    bus: Bus
    hub: Hub
    sign_in_failures: FailureLimit
    # None: there is no key to seal credentials with.
    vault: Vault | None

    @contextlib.asynccontextmanager
    async def transaction(self, user_id: UUID | None = None) -> AsyncIterator[Connection]:
        """One transaction that sees what the user may see.

        Raises:
            UnavailableError: PostgreSQL does not answer, or others are in the way.

        """
        try:
            async with self.database.transaction(user_id) as connection:
                yield connection
        except Exception as error:
            if not is_transient(error):
                raise
            if is_contention(error):
                raise UnavailableError("Others are changing the same just now.") from error
            log.warning("PostgreSQL is away", action="database_unavailable", error=repr(error))
            raise UnavailableError("The database does not answer at the moment.") from error

    def public_url(self, request: Request) -> str:
        """Where the browser reaches the gateway: as the settings say, else as it was asked."""
        return self.settings.public_url or str(request.base_url).rstrip("/")

    async def say(self, hints: Sequence[Event], events: Sequence[Event]) -> None:
        """After the commit. Nothing is lost with these: behind each stands a row that its reader finds."""
        for hint in hints:
            await self.bus.hint(hint)
        try:
            async with asyncio.timeout(PUBLISH_SECONDS):
                await self.bus.publish(events)
        except (RetryableError, TimeoutError) as error:
            log.warning("an event waits for the sweep", action="publish_failed", error=repr(error))


def gateway_of(connection: HTTPConnection) -> Gateway:
    gateway: Gateway = connection.app.state.gateway
    return gateway
