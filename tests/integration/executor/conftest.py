"""An executor in this process, on real servers, with scripted models."""

import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from nats.js.api import RawStreamMsg

from rota_bus import Bus
from rota_chassis.lifecycle import Lifetime
from rota_contracts.codec import decode
from rota_contracts.events import JobCompleted, JobDue, JobSnapshot
from rota_contracts.streams import EXECUTOR, JOBS
from rota_executor.service import wiring
from rota_executor.settings import ExecutorSettings
from tests.support.eventually import eventually
from tests.support.world import World

PLUGINS = "tests.support.scripted,tests.integration.executor.toolbox"


class Stage:
    """What a test of the executor does: make work due, run executors, look at what became of it."""

    def __init__(self, world: World, ticker: Bus) -> None:
        self.world = world
        self.ticker = ticker
        self.context_id: UUID
        self.job_id: UUID
        # The messages of the stream so far, by number: none of them changes.
        self._heard: dict[int, RawStreamMsg] = {}
        self._stream_created: datetime | None = None

    def environment(self, **variables: str) -> dict[str, str]:
        return {**self.world.environment("executor"), "EXECUTOR_PLUGINS": PLUGINS, **variables}

    @contextlib.asynccontextmanager
    async def executor(self, **variables: str) -> AsyncIterator[Lifetime]:
        """A running executor; leaving the block drains it as SIGTERM would."""
        settings = ExecutorSettings.model_validate(self.environment(**variables))
        lifetime = Lifetime()
        async with wiring(settings, lifetime):
            lifetime.started = True
            yield lifetime
        await lifetime.cancel()
        lifetime.raise_failure()

    async def an_agent(self, model: str = "scripted:noop", **columns: Any) -> None:
        """The agent that the jobs of this stage name."""
        await self.world.an_agent(name="tester", context_id=self.context_id, model=model, **columns)

    async def allow(self, host: str) -> None:
        """Lets the tools of the context reach a host wherever it is."""
        await self.world.sql(
            "UPDATE contexts SET allowed_hosts = :hosts WHERE id = :id", hosts=[host], id=self.context_id
        )

    async def due(self, prompt: str = "Do it.", *, publish: bool = True, **changes: Any) -> JobDue:
        """An open occurrence and its job.due, published unless told otherwise."""
        job: dict[str, Any] = {
            "name": "a job",
            "agent_name": "tester",
            "skill_prompt": prompt,
            "cron_expression": "* * * * *",
            "timezone": "UTC",
            "timeout_seconds": 30,
            "max_retries": 0,
            "generation": 1,
            "tool": None,
            "arguments": {},
        }
        job |= {name: changes.pop(name) for name in job if name in changes}
        now = datetime.now(UTC)
        values: dict[str, Any] = {
            "context_id": self.context_id,
            "job_id": self.job_id,
            "attempt": 1,
            "scheduled_for": now,
            "effective_at": now,
            "trigger": "manual",
            "job": JobSnapshot(**job),
            **changes,
        }
        if "run_id" in values:
            known = await self.world.sql(
                "SELECT scheduled_for FROM occurrences WHERE run_id = :r", r=values["run_id"]
            )
            values["scheduled_for"] = known[0][0] if known else now
        else:
            values["run_id"] = await self.world.an_occurrence(
                self.job_id, attempt=values["attempt"], scheduled_for=values["scheduled_for"]
            )
        event = JobDue(**values)
        if publish:
            await self.ticker.publish([event])
        return event

    async def completed(self, event: JobDue, *, seconds: float = 15) -> JobCompleted:
        """The job.completed of the event's attempt, once it is in the stream."""

        async def probe() -> JobCompleted | None:
            found = await self.said("job.completed")
            return next((one for one in found if one.message_id == _completed_id(event)), None)

        found = await eventually(probe, seconds=seconds, what=f"job.completed of {event.message_id}")
        assert found is not None
        return found

    async def ran(self, prompt: str = "Do it.", **changes: Any) -> JobCompleted:
        """Makes a run due on an executor of its own and returns its end."""
        async with self.executor():
            return await self.completed(await self.due(prompt, **changes))

    async def said(self, name: str) -> list[Any]:
        """All events of that name in the stream, in order."""
        stream = self.world.nats_admin.jetstream()
        info = await stream.stream_info("JOBS")
        if info.created != self._stream_created:  # a test has deleted it, and all its messages
            self._stream_created, self._heard = info.created, {}
        numbers = range(1, info.state.messages + 1)
        for number in numbers:
            if number not in self._heard:
                self._heard[number] = await stream.get_msg("JOBS", number)
        return [
            decode(message.subject or "", message.data or b"", message.headers)
            for message in map(self._heard.__getitem__, numbers)
            if (message.subject or "").startswith(f"{name}.")
        ]

    async def attempt(self, event: JobDue) -> Any:
        """The row of the event's attempt, or None."""
        rows = await self.world.sql(
            "SELECT * FROM run_attempts WHERE run_id = :run_id AND attempt = :attempt",
            run_id=event.run_id,
            attempt=event.attempt,
        )
        return rows[0] if rows else None

    async def acknowledged(self) -> bool:
        """Whether every message that was delivered to the executor is settled, and none waits."""
        info = await self.world.nats_admin.jetstream().consumer_info("JOBS", EXECUTOR.durable)
        return not (info.num_ack_pending or info.num_pending)


def _completed_id(event: JobDue) -> str:
    return f"job.completed/{event.run_id}/{event.attempt}"


@pytest.fixture
async def stage(world: World) -> Stage:
    """A context, a job of the agent `tester`, and a ticker's connection to make it due."""
    ticker = await world.bus("ticker")
    await ticker.ensure([JOBS])
    stage = Stage(world, ticker)
    stage.context_id = await world.a_context()
    stage.job_id = await world.a_job(stage.context_id, agent_name="tester")
    return stage
