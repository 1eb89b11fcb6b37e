"""Jobs that a budget concerns are paused when a run ended for it, and nobody paused by anything else."""

from typing import Any
from uuid import UUID, uuid4

import pytest

from rota_contracts.events import JobPaused
from tests.support.ticking import a_ticker, completed, dues, make_due, said, timer
from tests.support.world import World

REASON = "The budget of 5 tokens a day for the context is used up."


async def a_budget(world: World, context: UUID, **columns: Any) -> UUID:
    values = {"context_id": context, "period": "day", "tokens_limit": 5, "policy": "pause", **columns}
    names, places = ", ".join(values), ", ".join(f":{name}" for name in values)
    found: UUID = await world.value(f"INSERT INTO budgets ({names}) VALUES ({places}) RETURNING id", **values)
    return found


async def paused(world: World) -> set[UUID]:
    return {
        row.job_id for row in await world.sql("SELECT job_id FROM job_timers WHERE paused_at IS NOT NULL")
    }


@pytest.mark.parametrize(
    ("subject", "concerned"), [({}, {0, 1}), ({"agent_name": "other"}, {1}), ({"job_id": 0}, {0})]
)
async def test_the_jobs_that_a_budget_concerns_are_paused_with_the_reason(
    world: World, subject: dict[str, Any], concerned: set[int]
) -> None:
    ticker = await a_ticker(world)
    context = await world.a_context()
    jobs = [
        await world.a_job(context),
        await world.a_job(context, agent_name="other"),
        await world.a_job(context, tool="clock"),
        await world.a_job(await world.a_context()),
    ]
    if "job_id" in subject:
        subject = {"job_id": jobs[subject["job_id"]]}
    budget = await a_budget(world, context, **subject)
    await ticker.plan()
    await make_due(world, jobs[0])
    await ticker.fire()
    [due] = await dues(world)
    ended = completed(due, status="error", error_kind="limit", error_message=REASON, exhausted_budget=budget)
    await ticker.on_completed([ended])
    expected = {jobs[number] for number in concerned}
    assert await paused(world) == expected
    assert [await timer(world, job) for job in expected] == [None] * len(expected)
    told = [event for event in await said(world) if isinstance(event, JobPaused)]
    assert {event.job_id for event in told} == expected
    assert {(event.run_id, event.reason) for event in told} == {
        (due.run_id, f"paused for a budget: {REASON}")
    }
    # The same end again pauses nobody: a person may have enabled them since.
    await world.sql("UPDATE job_timers SET paused_at = NULL")
    await ticker.on_completed([ended])
    assert await paused(world) == set()


async def test_a_budget_whose_policy_is_another_by_now_pauses_nothing(world: World) -> None:
    ticker = await a_ticker(world)
    context = await world.a_context()
    job = await world.a_job(context)
    await ticker.plan()
    for budget in (await a_budget(world, context, policy="stop"), uuid4()):
        await make_due(world, job)
        await ticker.fire()
        due = (await dues(world))[-1]
        await ticker.on_completed(
            [completed(due, status="error", error_kind="limit", exhausted_budget=budget)]
        )
    assert await paused(world) == set()
