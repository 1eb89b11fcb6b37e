"""Wiring of results: connections, the completions, the sweep."""

import contextlib
from collections.abc import AsyncIterator

from rota_bus import connected, serve
from rota_chassis.lifecycle import Lifetime, health_served, periodically
from rota_contracts.streams import DEAD_LETTERS, JOBS, RESULTS, RUNS
from rota_results.handlers import Recorder
from rota_results.repository import RETENTION, Repository
from rota_results.settings import ResultsSettings
from rota_store import is_transient, keep_retention, opened


@contextlib.asynccontextmanager
async def wiring(settings: ResultsSettings, lifetime: Lifetime) -> AsyncIterator[None]:
    async with (
        health_served(settings, lifetime),
        opened(settings, lifetime, "results") as database,
        connected(settings, lifetime, "results") as bus,
    ):
        await bus.ensure([JOBS, RUNS, DEAD_LETTERS], [RESULTS])
        recorder = Recorder(Repository(database, expiry_seconds=settings.approval_expiry_seconds), bus)
        keep_retention(lifetime, database, RETENTION, days=settings.retention_days)
        completions = await bus.subscribe(RESULTS)
        serving = lifetime.spawn(
            serve(completions, recorder.on_job_completed, is_transient=is_transient), "completions"
        )
        lifetime.spawn(
            periodically(
                recorder.sweep, seconds=settings.sweep_seconds, stopping=lifetime.stopping, name="sweep"
            ),
            "sweep",
        )
        yield
        await completions.stop()
        await serving
