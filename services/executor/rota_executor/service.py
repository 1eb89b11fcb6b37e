"""Wiring: connections, the subscription to job.due, the loops; and their end in the right order."""

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator

from rota_bus import Bus, Subscription, connected
from rota_chassis.lifecycle import Lifetime, health_served, periodically
from rota_contracts.codec import MalformedEventError, decode_payload
from rota_contracts.events import RunFollowed, RunStopping
from rota_contracts.presence import GONE
from rota_contracts.streams import DEAD_LETTERS, EXECUTOR, JOBS
from rota_executor.adapters import tools
from rota_executor.adapters.credentials import CredentialStore
from rota_executor.adapters.google import GoogleTokens
from rota_executor.adapters.mcp import McpServers
from rota_executor.adapters.models import Models, ModelServers
from rota_executor.adapters.network import Network
from rota_executor.adapters.registry import Registry
from rota_executor.adapters.runtime import Runtime
from rota_executor.adapters.toolbox import Toolboxes
from rota_executor.adapters.tools import Surroundings
from rota_executor.adapters.tools.gmail import Gmail
from rota_executor.adapters.tracing import Tracing, traced
from rota_executor.announcing import Announcing
from rota_executor.deadline import Terms
from rota_executor.discovering import Discovering
from rota_executor.handlers import Handlers
from rota_executor.leases import Leases
from rota_executor.notices import Notices
from rota_executor.outbox import Outbox
from rota_executor.progress import Progress
from rota_executor.repository import Repository
from rota_executor.repository.budgets import BudgetsRepository
from rota_executor.repository.definitions import Definitions
from rota_executor.repository.mcp import McpRepository
from rota_executor.repository.notebooks import Notebooks
from rota_executor.repository.notices import NoticesRepository
from rota_executor.repository.offers import Offers
from rota_executor.repository.retention import RETENTION
from rota_executor.repository.spent import SpentRepository
from rota_executor.runs import Runs
from rota_executor.settings import ExecutorSettings
from rota_executor.spending import Budgets
from rota_executor.tally import KEEP_SECONDS, Tally
from rota_store import Database, keep_retention, opened
from rota_vault import Vault, keys_of

# How soon the tools of an MCP server that was added can be linked.
DISCOVER_SECONDS = 1.0


@contextlib.asynccontextmanager
async def wiring(settings: ExecutorSettings, lifetime: Lifetime) -> AsyncIterator[None]:
    """The executor, running; on leaving, it finishes what runs and hands over the rest."""

    async def taking_jobs() -> None:
        if not lifetime.started:
            raise ConnectionError("the executor does not take jobs yet")

    lifetime.checks["start"] = taking_jobs
    async with (
        health_served(settings, lifetime),
        opened(settings, lifetime, "executor") as database,
        connected(settings, lifetime, "executor") as bus,
        _traced(settings) as tracing,
    ):
        await bus.ensure([JOBS, DEAD_LETTERS], [EXECUTOR])
        registry = registry_of(settings, surroundings(settings, database, bus))
        announcing = Announcing(Offers(database), registry)
        lifetime.checks["tools"] = announcing.check
        lifetime.spawn(announcing.announcing(lifetime.stopping), "tools")
        models = Models(registry, _model_servers(settings))
        keys = settings.credential_keys
        vault = Vault(keys_of(keys.get_secret_value())) if keys else None
        credentials = CredentialStore(Definitions(database), vault)
        servers = McpServers(Network(Definitions(database).allowed_hosts), settings.mcp_commands)
        discovering = Discovering(McpRepository(database), servers, credentials)
        lifetime.spawn(
            periodically(
                discovering.discover, seconds=DISCOVER_SECONDS, stopping=lifetime.stopping, name="discovery"
            ),
            "discovery",
        )
        toolboxes = Toolboxes(registry, servers, McpRepository(database))
        runtime = Runtime(toolboxes, models, settings.tool_timeout_seconds, credentials, tracing)
        async with (
            contextlib.aclosing(models),
            contextlib.aclosing(servers),
            _running(settings, lifetime, database, bus, runtime),
        ):
            yield


@contextlib.asynccontextmanager
async def _running(
    settings: ExecutorSettings, lifetime: Lifetime, database: Database, bus: Bus, runtime: Runtime
) -> AsyncIterator[None]:
    terms = Terms(lease=settings.lease_seconds, notice=settings.notice_seconds)
    repository = Repository(database, terms)
    leases = Leases(repository, bus, terms, process=f"{socket.gethostname()}/{os.getpid()}")
    outbox = Outbox(repository, bus.publish, sweep_age_seconds=settings.sweep_seconds)
    progress = Progress(bus)
    budgets = Budgets(BudgetsRepository(database), bus.hint)
    tally = Tally(SpentRepository(database), leases)
    runs = Runs(runtime, repository, leases, outbox, progress, budgets, tally, max_losses=settings.max_losses)
    handlers = Handlers(repository, leases, runs, bus.publish)
    drained = asyncio.Event()
    keep_retention(lifetime, database, RETENTION, days=settings.retention_days)
    loops = [
        lifetime.spawn(leases.renewing(), "renewals"),
        lifetime.spawn(leases.pinging(), "pings"),
        lifetime.spawn(
            periodically(outbox.sweep, seconds=settings.sweep_seconds, stopping=drained, name="sweep"),
            "sweep",
        ),
        lifetime.spawn(
            periodically(
                leases.look_for_stops, seconds=leases.period, stopping=drained, name="cancellations"
            ),
            "cancellations",
        ),
        lifetime.spawn(progress.telling(), "progress"),
        lifetime.spawn(
            periodically(budgets.free, seconds=settings.sweep_seconds, stopping=drained, name="reservations"),
            "reservations",
        ),
        lifetime.spawn(
            periodically(tally.keep, seconds=KEEP_SECONDS, stopping=drained, name="spending"), "spending"
        ),
        lifetime.spawn(outbox.writing(), "outcomes"),
        lifetime.spawn(outbox.publishing(), "publications"),
    ]

    async def stop(_subject: str, payload: bytes) -> None:
        with contextlib.suppress(MalformedEventError):  # the ledger says it too
            hint = decode_payload(RunStopping.TYPE, payload)
            assert isinstance(hint, RunStopping)
            leases.stop(hint.run_id, hint.reason)

    async def take_over(_subject: str, _payload: bytes) -> None:
        await outbox.take_over()

    async def follow(_subject: str, payload: bytes) -> None:
        hint = decode_payload(RunFollowed.TYPE, payload)
        assert isinstance(hint, RunFollowed)
        progress.repeat(hint.run_id)

    await bus.listen("run.stopping.*.*", stop)
    await bus.listen("run.followed.*.*", follow)
    await bus.listen(GONE, take_over)
    subscription = await bus.subscribe(EXECUTOR, slots=settings.slots)
    consuming = lifetime.spawn(_consume(subscription, handlers), "job.due")
    try:
        yield
    finally:
        handlers.stopping.set()
        await subscription.stop()
        await asyncio.wait([consuming])
        await runs.drain(settings.grace_seconds)
        drained.set()
        for loop in loops:
            loop.cancel()
        await asyncio.gather(*loops, return_exceptions=True)


async def _consume(subscription: Subscription, handlers: Handlers) -> None:
    async for batch in subscription.batches():
        await handlers.on_job_due(batch)


def surroundings(settings: ExecutorSettings, database: Database, bus: Bus) -> Surroundings:
    """What the built-in tools work with."""
    return Surroundings(
        services=settings.services(),
        network=Network(Definitions(database).allowed_hosts),
        gmail=Gmail(settings.gmail_url, GoogleTokens(settings.google_token_url)),
        notebooks=Notebooks(database),
        notices=Notices(NoticesRepository(database), bus.hint),
    )


def registry_of(settings: ExecutorSettings, around: Surroundings) -> Registry:
    """The built-in tools, and what installed packages and the operator's modules add."""
    registry = Registry()
    tools.register(registry, around)
    registry.load_installed()
    for module in settings.plugin_modules():
        registry.load_module(module)
    return registry


def _traced(settings: ExecutorSettings) -> contextlib.AbstractAsyncContextManager[Tracing]:
    headers = settings.otlp_headers
    return traced(
        settings.otlp_endpoint,
        headers.get_secret_value() if headers else None,
        with_content=settings.trace_content,
    )


def _model_servers(settings: ExecutorSettings) -> ModelServers:
    key = settings.local_model_key
    return ModelServers(
        local_url=settings.local_model_url,
        local_key=key.get_secret_value() if key else None,
        openai_url=settings.openai_base_url,
    )
