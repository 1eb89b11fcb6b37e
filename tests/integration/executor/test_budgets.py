"""Budgets, on real PostgreSQL and NATS: however many runs there are, they spend no more than allowed."""

import asyncio
import json
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from rota_contracts.budgets import Period, period_start
from rota_executor.budgets import Share
from rota_executor.repository import AttemptKey
from rota_executor.repository.budgets import BudgetsRepository
from rota_executor.repository.retention import RETENTION
from rota_store import prune
from tests.integration.executor.conftest import Stage
from tests.support.ticking import a_ticker, dues, make_due

MAX_TOKENS = 50


async def a_budget(stage: Stage, **columns: Any) -> UUID:
    """Of the context and the day, unless told otherwise."""
    values = {"context_id": stage.context_id, "period": "day", **columns}
    names, places = ", ".join(values), ", ".join(f":{name}" for name in values)
    found: UUID = await stage.world.value(
        f"INSERT INTO budgets ({names}) VALUES ({places}) RETURNING id", **values
    )
    return found


async def standing(stage: Stage, budget: UUID) -> Any:
    """The only period of a budget."""
    [row] = await stage.world.sql("SELECT * FROM budget_periods WHERE budget_id = :id", id=budget)
    return row


async def an_agent(stage: Stage, model: str = "scripted:noop", **columns: Any) -> None:
    await stage.an_agent(model, model_settings={"max_tokens": MAX_TOKENS}, **columns)


def plays(*steps: Any, kind: str = "scripted") -> str:
    return f"{kind}:plays:{json.dumps(steps)}"


async def cost_of_a_run(stage: Stage) -> int:
    """Tokens that a run takes, as it is told."""
    usage = (await stage.ran()).usage
    return usage.input_tokens + usage.output_tokens


async def share_of_a_run(stage: Stage) -> int:
    """Tokens that its call may take at the most, as it is told when there are fewer."""
    budget = await a_budget(stage, tokens_limit=1)
    refused = re.search(r"the next call may take ([\d,]+)", (await stage.ran()).error_message or "")
    await stage.world.sql("DELETE FROM budgets WHERE id = :id", id=budget)
    assert refused
    return int(refused[1].replace(",", ""))


async def test_two_hundred_runs_on_two_executors_do_not_overshoot(stage: Stage) -> None:
    """There is enough for 151 of them: those run, the others are refused, and nothing stays reserved."""
    await an_agent(stage)
    each, share = await cost_of_a_run(stage), await share_of_a_run(stage)
    limit = 150 * each + share
    budget = await a_budget(stage, tokens_limit=limit)
    async with stage.executor(EXECUTOR_SLOTS="100"), stage.executor(EXECUTOR_SLOTS="100"):
        events = [await stage.due(publish=False, timeout_seconds=120) for _ in range(200)]
        await stage.ticker.publish(events)
        for event in events:
            await stage.completed(event, seconds=120)
    ends = [one for one in await stage.said("job.completed") if one.run_id in {e.run_id for e in events}]
    assert len(ends) == 200
    went = [one for one in ends if one.status == "success"]
    assert {one.error_kind for one in ends if one.status == "error"} == {"limit"}
    row = await standing(stage, budget)
    assert row.used_tokens == 151 * each <= limit
    # Nobody was refused what would have fitted in.
    assert len(went) == 151
    assert (row.reserved_tokens, row.reserved_cost) == (0, 0)
    assert await stage.world.value("SELECT count(*) FROM budget_reservations") == 0
    # Of two hundred, one found that little was left, and told it.
    assert await stage.world.value("SELECT count(*) FROM notification_requests") == 1


async def test_runs_wait_for_what_others_have_reserved_and_may_not_need(stage: Stage) -> None:
    """Room for one call at a time: all of them run, one after the other."""
    await an_agent(stage)
    each, share = await cost_of_a_run(stage), await share_of_a_run(stage)
    budget = await a_budget(stage, tokens_limit=7 * each + share)
    async with stage.executor():
        events = [await stage.due(publish=False) for _ in range(8)]
        await stage.ticker.publish(events)
        ends = [await stage.completed(event) for event in events]
    assert [end.status for end in ends] == ["success"] * 8
    assert (await standing(stage, budget)).used_tokens == 8 * each


async def test_without_a_budget_nothing_is_counted(stage: Stage) -> None:
    await an_agent(stage)
    # Of another job, another agent, another context.
    other = await stage.world.a_job(stage.context_id)
    await a_budget(stage, tokens_limit=1, job_id=other)
    await a_budget(stage, tokens_limit=1, agent_name="somebody else")
    await a_budget(stage, tokens_limit=1, context_id=await stage.world.a_context())
    assert (await stage.ran()).status == "success"
    assert await stage.world.sql("SELECT * FROM budget_periods") == []


async def test_every_budget_that_concerns_a_run_counts_it(stage: Stage) -> None:
    await an_agent(stage, "paid:noop")
    found: list[tuple[UUID, Period]] = []
    periods: tuple[Period, ...] = ("day", "month")
    for period in periods:
        for subject in ({}, {"agent_name": "tester"}, {"job_id": stage.job_id}):
            budget = await a_budget(
                stage, tokens_limit=10_000, cost_limit=Decimal(1), period=period, **subject
            )
            found.append((budget, period))
    completed = await stage.ran()
    assert completed.status == "success"
    used = completed.usage.input_tokens + completed.usage.output_tokens
    for budget, period in found:
        row = await standing(stage, budget)
        assert (row.used_tokens, row.used_cost) == (used, completed.usage.cost_usd)
        assert (row.reserved_tokens, row.reserved_cost) == (0, 0)
        assert row.period_start == period_start(period, datetime.now(UTC))


async def test_money_is_a_budget_too(stage: Stage) -> None:
    await an_agent(stage, "paid:noop")
    budget = await a_budget(stage, cost_limit=Decimal("0.0000005"))
    completed = await stage.ran(max_retries=2)
    assert (completed.error_kind, completed.final, completed.usage.requests) == ("limit", True, 0)
    assert "for the context is used up: $0.00 are spent" in (completed.error_message or "")
    assert str(budget) in (completed.error_message or "")


async def test_money_cannot_be_counted_where_nobody_knows_the_price(stage: Stage) -> None:
    await an_agent(stage, "priceless:noop")
    budget = await a_budget(stage, cost_limit=Decimal(5))
    completed = await stage.ran()
    assert (completed.error_kind, completed.usage.requests) == ("invalid_configuration", 0)
    assert f"budget {budget} a limit of tokens" in (completed.error_message or "")
    await stage.world.sql("UPDATE budgets SET tokens_limit = 10000")
    assert (await stage.ran()).status == "success"


async def test_a_budget_that_is_used_up_stops_the_run_where_it_is(stage: Stage) -> None:
    """Also amid a conversation: what was spent before is told."""
    steps = [*(["recorded", {"number": number}] for number in range(50)), "Done."]
    await an_agent(stage, plays(*steps), tools=[{"tool_name": "recorded"}])
    budget = await a_budget(stage, tokens_limit=3_000)
    completed = await stage.ran()
    assert completed.error_kind == "limit"
    assert completed.usage.requests > 3
    row = await standing(stage, budget)
    assert row.used_tokens == completed.usage.input_tokens + completed.usage.output_tokens <= 3_000
    assert completed.exhausted_budget is None


async def test_the_policy_pause_says_which_budget_it_was(stage: Stage) -> None:
    await an_agent(stage)
    budget = await a_budget(stage, tokens_limit=10, policy="pause")
    completed = await stage.ran()
    assert (completed.error_kind, completed.exhausted_budget) == ("limit", budget)


async def test_the_jobs_that_it_concerns_are_paused_by_the_ticker(stage: Stage) -> None:
    """From the due instant to the pause, each by whoever does it."""
    world, ticker = stage.world, await a_ticker(stage.world)
    beside = await world.a_job(stage.context_id, agent_name="tester")
    await an_agent(stage)
    await a_budget(stage, tokens_limit=10, policy="pause", agent_name="tester")
    await ticker.plan()
    await make_due(world, stage.job_id)
    await ticker.fire()
    [due] = await dues(world)
    async with stage.executor():
        completed = await stage.completed(due)
    await ticker.on_completed([completed])
    rows = await world.sql("SELECT job_id, pause_reason FROM job_timers WHERE paused_at IS NOT NULL")
    assert {row.job_id for row in rows} == {stage.job_id, beside}
    assert all("10 tokens a day for the agent 'tester' is used up" in row.pause_reason for row in rows)


async def test_the_policy_fallback_goes_on_with_the_model_that_it_names(stage: Stage) -> None:
    await an_agent(stage, "paid:says:dear")
    budget = await a_budget(
        stage, cost_limit=Decimal("0.0000005"), policy="fallback", fallback_model="scripted:says:cheap"
    )
    completed = await stage.ran()
    assert (completed.status, completed.content) == ("success", "cheap")
    assert (completed.model, completed.usage.cost_usd) == ("scripted:says:cheap", Decimal(0))
    row = await standing(stage, budget)
    assert row.used_tokens == completed.usage.input_tokens + completed.usage.output_tokens
    # Another one that stops still does.
    await a_budget(stage, tokens_limit=10, agent_name="tester")
    assert (await stage.ran()).error_kind == "limit"


async def test_it_is_told_once_when_little_is_left(stage: Stage) -> None:
    await an_agent(stage)
    each, share = await cost_of_a_run(stage), await share_of_a_run(stage)
    runs = 4 * share // each + 4
    limit = runs * each + share
    await a_budget(stage, tokens_limit=limit, policy="pause")
    await stage.world.sql(
        "INSERT INTO budget_periods (budget_id, period_start, context_id, used_tokens)"
        " SELECT id, :start, context_id, :used FROM budgets",
        start=period_start("day", datetime.now(UTC)),
        used=(runs - 3) * each,
    )
    used, told = "SELECT used_tokens FROM budget_periods", "SELECT * FROM notification_requests"
    async with stage.executor():
        for _ in range(3):
            await stage.completed(await stage.due())
            is_short = 100 * await stage.world.value(used) >= 80 * limit
            assert len(await stage.world.sql(told)) == is_short
    [row] = await stage.world.sql(told)
    assert (row.title, row.job_id) == ("80 % of a budget is used", stage.job_id)
    assert "its jobs paused" in row.body


async def test_a_new_period_begins_with_nothing_spent(stage: Stage) -> None:
    await an_agent(stage)
    budget = await a_budget(stage, tokens_limit=2_000)
    await stage.world.sql(
        "INSERT INTO budget_periods (budget_id, period_start, context_id, used_tokens)"
        " VALUES (:id, :yesterday, :c, 2000)",
        yesterday=period_start("day", datetime.now(UTC)) - timedelta(days=1),
        id=budget,
        c=stage.context_id,
    )
    assert (await stage.ran()).status == "success"
    rows = await stage.world.sql("SELECT used_tokens FROM budget_periods ORDER BY period_start")
    assert rows[0].used_tokens == 2_000
    assert 0 < rows[1].used_tokens < 2_000


async def test_who_reserves_beside_others_finds_what_they_left(stage: Stage) -> None:
    """A hundred at once, on connections of their own: as many as fit, of several budgets all or none."""
    first = await a_budget(stage, tokens_limit=1_000)
    second = await a_budget(stage, cost_limit=Decimal(5), period="month")
    repositories = [BudgetsRepository(stage.world.database("executor")) for _ in range(4)]
    today = datetime.now(UTC)
    periods = [(first, period_start("day", today), False), (second, period_start("month", today), False)]
    await repositories[0].open(periods)

    async def one(number: int) -> bool:
        order = periods if number % 2 else periods[::-1]
        found = await repositories[number % 4].reserve(
            uuid4(), AttemptKey(uuid4(), 1), order, Share(30, Decimal("0.2"))
        )
        return not any(standing.is_held for standing in found)

    granted = sum(await asyncio.gather(*(one(number) for number in range(100))))
    # 1,000 tokens would do for 33 of them; five dollars for 25.
    assert granted == 25
    tokens, money = await standing(stage, first), await standing(stage, second)
    assert (tokens.reserved_tokens, money.reserved_cost) == (25 * 30, Decimal(5))


async def test_old_periods_are_forgotten(stage: Stage) -> None:
    budget = await a_budget(stage, tokens_limit=5)
    now = datetime.now(UTC)
    for days in (0, 55, 65):
        await stage.world.sql(
            "INSERT INTO budget_periods (budget_id, period_start, context_id) VALUES (:id, :start, :c)",
            id=budget,
            start=now - timedelta(days=days),
            c=stage.context_id,
        )
    database = stage.world.database("executor")
    assert await prune(database, {"": RETENTION["budget_periods"]}, timedelta(days=30)) == 1
    assert await stage.world.value("SELECT count(*) FROM budget_periods") == 2
