"""The wiring: PostgreSQL, NATS, the hub of live hints, the HTTP server."""

import contextlib
from collections.abc import AsyncIterator

from rota_bus import Bus
from rota_chassis import logs
from rota_chassis.health import serving
from rota_chassis.lifecycle import Lifetime, repeatedly
from rota_contracts.streams import STREAMS
from rota_gateway import application, readiness
from rota_gateway.auditing import Auditor
from rota_gateway.edge.gateway import Gateway
from rota_gateway.edge.rate import FailureLimit
from rota_gateway.live import Hub
from rota_gateway.repository.retention import RETENTION
from rota_gateway.settings import GatewaySettings
from rota_store import Database, keep_retention
from rota_vault import Vault, keys_of

log = logs.logger(__name__)


@contextlib.asynccontextmanager
async def wiring(settings: GatewaySettings, lifetime: Lifetime) -> AsyncIterator[None]:
    async with contextlib.AsyncExitStack() as stack:
        gateway = await opened(settings, stack)
        lifetime.checks.update(readiness.checks(gateway.database, gateway.bus, settings.service_urls))
        app = application.build(gateway, lifetime.checks)
        port = await stack.enter_async_context(serving(app, settings.http_host, settings.http_port))
        # Streams end before the server waits for its requests.
        stack.callback(gateway.hub.close)
        log.info("HTTP is served", action="http_served", host=settings.http_host, port=port)
        keep_retention(lifetime, gateway.database, RETENTION, days=settings.retention_days)
        auditor = Auditor(gateway.database, interval_seconds=settings.audit_interval_seconds)
        lifetime.spawn(
            repeatedly(auditor.work, after_failure=10, stopping=lifetime.stopping, name="audit"), "audit"
        )
        yield


async def opened(settings: GatewaySettings, stack: contextlib.AsyncExitStack) -> Gateway:
    """Everything that requests work with, closed with the stack."""
    database = Database(
        settings.postgres_url.get_secret_value(), application="gateway", pool_size=settings.postgres_pool_size
    )
    stack.push_async_callback(database.close)
    seed = settings.nats_nkey_seed.get_secret_value() if settings.nats_nkey_seed else None
    bus = await Bus.connect(settings.nats_url, service="gateway", seed=seed)
    stack.push_async_callback(bus.close)
    await bus.ensure(STREAMS)
    keys = settings.credential_keys
    vault = Vault(keys_of(keys.get_secret_value())) if keys else None
    return Gateway(settings, database, bus, Hub(bus), FailureLimit(settings.sign_in_attempts), vault)
