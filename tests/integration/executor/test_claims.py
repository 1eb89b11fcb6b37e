"""Who may run an attempt: the claim, and what becomes of messages that lose it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from rota_bus import Delivery, Subscription
from rota_contracts.streams import EXECUTOR, JOBS
from rota_executor.adapters.mcp import McpServers
from rota_executor.adapters.models import Models, ModelServers
from rota_executor.adapters.runtime import Runtime
from rota_executor.adapters.toolbox import Toolboxes
from rota_executor.attempt import Attempt
from rota_executor.deadline import Terms
from rota_executor.handlers import Handlers
from rota_executor.leases import Leases
from rota_executor.outbox import Outbox
from rota_executor.progress import Progress
from rota_executor.repository import Repository
from rota_executor.repository.budgets import BudgetsRepository
from rota_executor.repository.mcp import McpRepository
from rota_executor.repository.spent import SpentRepository
from rota_executor.runs import Runs
from rota_executor.service import registry_of
from rota_executor.settings import ExecutorSettings
from rota_executor.spending import Budgets
from rota_executor.tally import Tally
from tests.integration.executor.conftest import Stage
from tests.support.eventually import eventually
from tests.support.toolkit import a_network, surroundings


@contextlib.asynccontextmanager
async def handling(stage: Stage) -> AsyncIterator[tuple[Handlers, Subscription]]:
    """The handlers on real servers, without the loops: what they start stays running."""
    settings = ExecutorSettings.model_validate(stage.environment())
    bus = await stage.world.bus("executor")
    await bus.ensure([JOBS], [EXECUTOR])
    registry = registry_of(settings, surroundings())
    models = Models(registry, ModelServers())
    terms = Terms(lease=20, notice=2.5)
    repository = Repository(stage.world.database("executor"), terms)
    leases = Leases(repository, bus, terms, process="here")
    outbox = Outbox(repository, bus.publish, sweep_age_seconds=5)
    toolboxes = Toolboxes(
        registry, McpServers(a_network(), {}), McpRepository(stage.world.database("executor"))
    )
    budgets = Budgets(BudgetsRepository(stage.world.database("executor")), bus.hint)
    tally = Tally(SpentRepository(stage.world.database("executor")), leases)
    runs = Runs(
        Runtime(toolboxes, models, 5), repository, leases, outbox, Progress(bus), budgets, tally, max_losses=3
    )
    subscription = await bus.subscribe(EXECUTOR, slots=10)
    yield Handlers(repository, leases, runs, bus.publish), subscription
    for attempt in leases.held():
        attempt.hand_over()
    await runs.drain(0)
    await models.aclose()


async def claimed_elsewhere(stage: Stage, run_id: object, state: str = "running") -> None:
    ended = state == "ended"
    await stage.world.sql(
        f"""INSERT INTO run_attempts (run_id, attempt, context_id, job_id, executor, state, session_id,
                outcome, ended_at)
            VALUES (:run_id, 1, :context_id, :job_id, 'elsewhere', :state, :run_id,
                {"'{}', now()" if ended else "NULL, NULL"})""",
        run_id=run_id,
        context_id=stage.context_id,
        job_id=stage.job_id,
        state=state,
    )


async def test_an_open_attempt_is_started_once_however_often_it_arrives(stage: Stage) -> None:
    await stage.an_agent("scripted:slow")
    async with handling(stage) as (handlers, subscription):
        event = await stage.due("sleep 60")
        (first,) = await anext(subscription.batches())
        assert await handlers.on_job_due([first]) == ["started"]
        assert await handlers.on_job_due([first]) == ["elsewhere"]
        row = await stage.attempt(event)
    assert (row.state, row.executor.partition("/")[0]) == ("running", "here")


async def test_an_attempt_that_runs_elsewhere_is_left_alone(stage: Stage) -> None:
    async with handling(stage) as (handlers, subscription):
        event = await stage.due()
        await claimed_elsewhere(stage, event.run_id)
        batch = await anext(subscription.batches())
        assert await handlers.on_job_due(batch) == ["elsewhere"]
        assert batch[0].settled
        assert not await stage.acknowledged()  # it comes again
    assert (await stage.attempt(event)).executor == "elsewhere"


async def test_an_attempt_that_has_ended_is_acknowledged(stage: Stage) -> None:
    async with handling(stage) as (handlers, subscription):
        event = await stage.due()
        await claimed_elsewhere(stage, event.run_id, "ended")
        assert await handlers.on_job_due(await anext(subscription.batches())) == ["ended"]
        await eventually(stage.acknowledged)


async def test_a_message_of_an_earlier_attempt_is_stale(stage: Stage) -> None:
    async with handling(stage) as (handlers, subscription):
        event = await stage.due()
        await stage.world.sql("UPDATE occurrences SET attempt = 2 WHERE run_id = :id", id=event.run_id)
        assert await handlers.on_job_due(await anext(subscription.batches())) == ["stale"]
        await eventually(stage.acknowledged)
    assert await stage.attempt(event) is None


async def test_a_message_of_a_closed_occurrence_is_stale(stage: Stage) -> None:
    async with handling(stage) as (handlers, subscription):
        event = await stage.due()
        await stage.world.sql(
            "UPDATE occurrences SET state = 'closed', disposition = 'skipped', closed_at = now() "
            "WHERE run_id = :id",
            id=event.run_id,
        )
        assert await handlers.on_job_due(await anext(subscription.batches())) == ["stale"]
        await eventually(stage.acknowledged)
    assert await stage.attempt(event) is None


async def test_a_message_that_the_ledger_does_not_know_is_stale(stage: Stage) -> None:
    async with handling(stage) as (handlers, subscription):
        await stage.due(run_id=uuid4())
        assert await handlers.on_job_due(await anext(subscription.batches())) == ["stale"]
        await eventually(stage.acknowledged)


async def test_a_message_that_names_another_tenant_than_the_ledger_runs_nothing(stage: Stage) -> None:
    stranger = await stage.world.a_context()
    async with handling(stage) as (handlers, subscription):
        event = await stage.due(context_id=stranger)
        assert await handlers.on_job_due(await anext(subscription.batches())) == ["stale"]
    assert await stage.attempt(event) is None


async def test_one_batch_is_sorted_into_what_runs_and_what_does_not(stage: Stage) -> None:
    await stage.an_agent("scripted:slow")
    async with handling(stage) as (handlers, subscription):
        events = [await stage.due("sleep 60") for _ in range(3)]
        await claimed_elsewhere(stage, events[1].run_id)
        deliveries: dict[str, Delivery] = {}
        async for batch in subscription.batches():
            deliveries |= {delivery.event.message_id: delivery for delivery in batch}
            if len(deliveries) == 3:
                break
        batch = [deliveries[event.message_id] for event in events]
        assert await handlers.on_job_due(batch) == ["started", "elsewhere", "started"]
        assert [delivery.has_slot for delivery in batch] == [True, False, True]


async def test_a_run_that_lost_three_executors_is_not_tried_again(stage: Stage) -> None:
    await stage.an_agent("scripted:noop")
    completed = await stage.ran(losses=3, max_retries=5)
    assert (completed.status, completed.error_kind, completed.final) == ("error", "lost", True)
    assert "vanished 3 times, so the run was not tried again" in (completed.error_message or "")
    assert completed.usage.requests == 0


async def test_a_run_that_lost_two_executors_is_tried_again(stage: Stage) -> None:
    await stage.an_agent("scripted:noop")
    assert (await stage.ran(losses=2)).status == "success"


async def test_starts_are_announced(stage: Stage) -> None:
    await stage.an_agent("scripted:slow")
    completed = await stage.ran("sleep 0.5")
    (started,) = await stage.said("job.started")
    assert (started.run_id, started.session_id) == (completed.run_id, completed.session_id)
    assert started.started_at == completed.started_at


async def test_the_start_of_a_run_that_has_ended_already_is_not_announced(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    announce, announced = Handlers._announce, asyncio.Event()

    async def after_the_end(self: Handlers, attempts: list[Attempt]) -> None:
        async def is_over() -> bool:
            return all(attempt.completed for attempt in attempts)

        await eventually(is_over, what="the end of the run")
        await announce(self, attempts)
        announced.set()

    monkeypatch.setattr(Handlers, "_announce", after_the_end)
    await stage.an_agent("scripted:noop")
    async with stage.executor():
        due = await stage.due()
        await stage.completed(due)
        await asyncio.wait_for(announced.wait(), 15)
    assert due.run_id not in {event.run_id for event in await stage.said("job.started")}
