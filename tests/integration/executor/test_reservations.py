"""What calls reserve of budgets, and what becomes of it when they end otherwise than well."""

import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from rota_contracts.budgets import period_start
from rota_contracts.events import JobCompleted
from rota_executor.budgets import Share, Standing
from rota_executor.repository import AttemptKey
from rota_executor.repository.budgets import BudgetsRepository
from tests.integration.executor.conftest import Stage
from tests.integration.executor.process import process
from tests.integration.executor.test_budgets import a_budget, an_agent, standing
from tests.support.eventually import eventually


async def test_what_a_killed_executor_had_reserved_counts_when_its_lease_is_over(
    stage: Stage, tmp_path: Path
) -> None:
    """What its call took nobody knows: the share counts as taken, once the lease is over and not before."""
    await an_agent(stage, "scripted:slow")
    budget = await a_budget(stage, tokens_limit=100_000)
    event = await stage.due("sleep 60", publish=False, timeout_seconds=120)

    async def reserved() -> int:
        rows = await stage.world.sql("SELECT reserved_tokens FROM budget_periods")
        return rows[0][0] if rows else 0

    async with process(stage, tmp_path / "log", EXECUTOR_LEASE_SECONDS="6") as running:
        await stage.ticker.publish([event])
        held = await eventually(reserved, seconds=30, what="a reservation")
        running.kill()
        running.wait()
    repository = BudgetsRepository(stage.world.database("executor"))
    assert await repository.free() == 0  # the lease goes on: nobody may begin the run anew either

    async def freed() -> bool:
        return await repository.free() == 1

    await eventually(freed, seconds=20, what="the end of the lease")
    row = await standing(stage, budget)
    assert held > 0
    assert (row.reserved_tokens, row.used_tokens) == (0, held)


async def test_what_an_attempt_did_not_settle_is_freed_when_it_has_ended(stage: Stage) -> None:
    await an_agent(stage)
    budget = await a_budget(stage, tokens_limit=100_000)
    async with stage.executor(EXECUTOR_SWEEP_SECONDS="0.5"):
        event = await stage.due()
        await stage.completed(event)
        repository = BudgetsRepository(stage.world.database("executor"))
        today = period_start("day", datetime.now(UTC))
        key = AttemptKey(event.run_id, event.attempt)
        await repository.reserve(uuid4(), key, [(budget, today, False)], Share(500, Decimal(0)))

        async def freed() -> bool:
            return bool((await standing(stage, budget)).reserved_tokens == 0)

        await eventually(freed, what="the sweep")
    assert await stage.world.value("SELECT count(*) FROM budget_reservations") == 0


@contextlib.asynccontextmanager
async def cancelled(stage: Stage) -> AsyncIterator[JobCompleted]:
    """A run that was cancelled amid its call."""
    async with stage.executor(EXECUTOR_LEASE_SECONDS="5"):
        event = await stage.due("sleep 60")

        async def reserved() -> bool:
            return bool(await stage.world.value("SELECT count(*) FROM budget_reservations"))

        await eventually(reserved, what="a reservation")
        await stage.world.sql("UPDATE occurrences SET cancelled_at = now(), cancel_reason = 'enough'")
        yield await stage.completed(event)


async def test_of_a_call_that_is_broken_off_all_counts_that_it_may_have_taken(stage: Stage) -> None:
    """Its provider may bill it: a job that always times out must not spend without end."""
    await an_agent(stage, "scripted:slow")
    budget = await a_budget(stage, tokens_limit=100_000)

    async def used(before: int) -> int:
        row = await standing(stage, budget)
        return int(row.used_tokens) if row.reserved_tokens == 0 and row.used_tokens > before else 0

    async with cancelled(stage) as completed:
        assert completed.error_kind == "cancelled"
        first = await eventually(lambda: used(0), what="the settlement")
    assert (await stage.ran("sleep 60", timeout_seconds=1)).error_kind == "timeout"
    assert await eventually(lambda: used(first), what="the settlement") == 2 * first


async def test_of_a_call_that_is_refused_nothing_counts(stage: Stage) -> None:
    await an_agent(stage, "scripted:fail")
    budget = await a_budget(stage, tokens_limit=100_000)
    assert (await stage.ran()).error_kind == "model_error"
    row = await standing(stage, budget)
    assert (row.reserved_tokens, row.used_tokens) == (0, 0)


async def test_a_call_waits_for_postgresql_and_a_lost_answer_costs_nothing(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reservation that nobody heard of is given back when the attempt has ended."""
    reserve = BudgetsRepository.reserve
    lost: list[UUID] = []

    async def losing(self: BudgetsRepository, *arguments: Any) -> list[Standing]:
        found = await reserve(self, *arguments)
        if any(one.is_open for one in found) and not lost:
            lost.append(arguments[0])
            raise ConnectionResetError("the answer was lost")
        return found

    monkeypatch.setattr(BudgetsRepository, "reserve", losing)
    await an_agent(stage)
    budget = await a_budget(stage, tokens_limit=100_000)
    async with stage.executor(EXECUTOR_SWEEP_SECONDS="0.5"):
        completed = await stage.completed(await stage.due())
        assert (completed.status, len(lost)) == ("success", 1)

        async def freed() -> bool:
            return bool((await standing(stage, budget)).reserved_tokens == 0)

        await eventually(freed, what="the sweep")
    used = completed.usage.input_tokens + completed.usage.output_tokens
    assert (await standing(stage, budget)).used_tokens == used


@pytest.mark.parametrize("change", ["DELETE FROM budgets", "UPDATE budgets SET tokens_limit = 1"])
async def test_a_budget_that_is_changed_amid_a_call_does_not_end_it(stage: Stage, change: str) -> None:
    await an_agent(stage, "scripted:slow")
    await a_budget(stage, tokens_limit=100_000)
    async with stage.executor():
        event = await stage.due("sleep 1")

        async def reserved() -> bool:
            return bool(await stage.world.value("SELECT count(*) FROM budget_reservations"))

        await eventually(reserved, what="a reservation")
        await stage.world.sql(change)
        assert (await stage.completed(event)).status == "success"
