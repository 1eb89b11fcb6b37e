"""What was spent, by whatever people ask for; and what a job may cost."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest

from rota_contracts.streams import DEAD_LETTERS, JOBS, RESULTS, RUNS
from rota_contracts.values import ModelUsage
from rota_results.handlers import Recorder
from rota_results.repository import Repository
from tests.integration.gateway.conftest import Person
from tests.support.completions import a_completion
from tests.support.world import World

TODAY = datetime.now(UTC)
YESTERDAY = TODAY - timedelta(days=1)


async def a_recorder(world: World) -> Recorder:
    bus = await world.bus("results")
    await bus.ensure([JOBS, RUNS, DEAD_LETTERS], [RESULTS])
    return Recorder(Repository(world.database("results")), bus)


def used(model: str, tokens: int, cost: str | None) -> ModelUsage:
    return ModelUsage(
        model=model,
        requests=1,
        input_tokens=tokens,
        output_tokens=tokens // 10,
        cost_usd=None if cost is None else Decimal(cost),
        unpriced_requests=int(cost is None),
    )


async def spend(
    recorder: Recorder, context: str, job: dict[str, Any], *usage: ModelUsage, **columns: Any
) -> None:
    """A run of the job that ended, as the executor tells it."""
    values = {"job_name": job["name"], "agent_name": job["agent_name"], **columns}
    event = a_completion(UUID(context), UUID(job["id"]), model_usage=list(usage), **values)
    await recorder.on_job_completed([event])


async def test_what_was_spent_is_added_up_by_whatever_is_asked_for(person: Person, world: World) -> None:
    recorder = await a_recorder(world)
    context = await person.context("Home")
    brief = await person.job(context, name="Brief", agent_name="Briefer")
    check = await person.job(context, name="Check", agent_name="Checker")
    await spend(recorder, context, brief, used("anthropic:big", 1000, "0.02"), used("local:small", 50, "0"))
    await spend(recorder, context, brief, used("anthropic:big", 500, "0.01"), completed_at=YESTERDAY)
    await spend(recorder, context, check, used("mine:own", 70, None))

    found = await person.get("/usage")
    days = [(one["day"], one["runs"], one["cost_usd"]) for one in found["items"]]
    assert days == [(f"{YESTERDAY:%Y-%m-%d}", 1, "0.01"), (f"{TODAY:%Y-%m-%d}", 2, "0.02")]
    assert found["items"][0]["job_id"] is None
    total = found["total"]
    assert (total["runs"], total["requests"], total["input_tokens"]) == (3, 4, 1620)
    assert (total["cost_usd"], total["unpriced_requests"]) == ("0.03", 1)

    by_model = (await person.get("/usage", group_by="model"))["items"]
    assert [(one["model"], one["cost_usd"], one["output_tokens"]) for one in by_model] == [
        ("anthropic:big", "0.03", 150),
        ("local:small", "0", 5),
        ("mine:own", None, 7),
    ]
    by_job = (await person.get("/usage", group_by=["job", "agent"]))["items"]
    assert [(one["job_name"], one["agent_name"], one["runs"]) for one in by_job] == [
        ("Brief", "Briefer", 2),
        ("Check", "Checker", 1),
    ]
    [by_context] = (await person.get("/usage", group_by="context"))["items"]
    assert (by_context["context_id"], by_context["context_name"]) == (context, "Home")

    for filters, runs in (
        ({"job_id": brief["id"]}, 2),
        ({"agent_name": "Checker"}, 1),
        ({"model": "local:small"}, 1),
        ({"context_id": context}, 3),
        ({"until": f"{TODAY:%Y-%m-%d}T00:00:00Z"}, 1),
        ({"from": f"{TODAY:%Y-%m-%d}T00:00:00Z"}, 2),
        ({"model": "nobody's"}, 0),
    ):
        assert (await person.get("/usage", **filters))["total"]["runs"] == runs, filters


async def test_an_attempt_that_is_tried_again_was_paid_for_all_the_same(person: Person, world: World) -> None:
    recorder = await a_recorder(world)
    context = await person.context()
    job = await person.job(context)
    run = uuid4()
    failed = {"run_id": run, "status": "error", "error_kind": "model_error", "final": False}
    await spend(recorder, context, job, used("a:b", 100, "0.1"), **failed)
    for _ in range(2):  # also when it is told twice
        await spend(recorder, context, job, used("a:b", 10, "0.01"), run_id=run, attempt=2)
    total = (await person.get("/usage"))["total"]
    assert (total["runs"], total["requests"], total["cost_usd"]) == (1, 2, "0.11")


async def test_nobody_sees_what_others_spend(person: Person, other: Person, world: World) -> None:
    recorder = await a_recorder(world)
    context = await person.context()
    job = await person.job(context)
    await spend(recorder, context, job, used("a:b", 100, "0.1"))
    assert (await person.get("/usage"))["total"]["runs"] == 1
    found = await other.get("/usage", group_by="model")
    assert (found["items"], found["total"]["runs"], found["total"]["cost_usd"]) == ([], 0, None)
    for path in (f"/usage?context_id={context}", f"/jobs/{job['id']}/usage"):
        assert (await other.http.get(f"/api/v1{path}")).status_code == 404
    await other.joins(context, "viewer")
    assert (await other.get("/usage", context_id=context))["total"]["runs"] == 1


async def test_what_a_deleted_job_spent_stays_under_its_name(person: Person, world: World) -> None:
    recorder = await a_recorder(world)
    context = await person.context()
    job = await person.job(context)
    await spend(recorder, context, job, used("a:b", 100, "0.1"))
    await person.http.delete(f"/api/v1/jobs/{job['id']}")
    [row] = (await person.get("/usage", group_by="job"))["items"]
    assert (row["job_id"], row["job_name"], row["cost_usd"]) == (job["id"], job["name"], "0.1")


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"group_by": "year"}, "group_by[0]"),
        ({"from": "2026-11-22T00:00:00Z", "until": "2026-11-22T00:00:00Z"}, "from"),
        ({"from": "yesterday"}, "from"),
        ({"by": "day"}, "by"),
    ],
)
async def test_what_cannot_be_asked_is_refused(person: Person, query: dict[str, str], field: str) -> None:
    response = await person.http.get("/api/v1/usage", params=query)
    assert response.status_code == 422, response.text
    assert [error["field"] for error in response.json()["errors"]] == [field]


async def test_a_job_tells_what_a_run_costs_and_a_month_may(person: Person, world: World) -> None:
    recorder = await a_recorder(world)
    context = await person.context()
    job = await person.job(context, cron_expression="@hourly")
    before = await person.get(f"/jobs/{job['id']}/usage")
    assert (before["runs"], before["cost_per_run_usd"], before["forecast_usd"]) == (0, None, None)
    assert before["forecast_runs"] == 720
    await spend(recorder, context, job, used("a:b", 1000, "0.02"))
    await spend(recorder, context, job, used("a:b", 2000, "0.04"))
    await spend(recorder, context, job)  # a run that spent nothing
    found = await person.get(f"/jobs/{job['id']}/usage")
    assert (found["runs"], found["cost_usd"], found["cost_per_run_usd"]) == (3, "0.06", "0.02")
    assert (found["forecast_usd"], found["tokens_per_run"]) == ("14.4", 1100)
    assert found["forecast_tokens"] == 720 * 1100
    await person.post(f"/jobs/{job['id']}/toggle", {"is_enabled": False}, status=200)
    assert (await person.get(f"/jobs/{job['id']}/usage"))["forecast_runs"] == 0
