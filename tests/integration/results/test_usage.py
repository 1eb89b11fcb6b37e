"""What attempts spent: a row for each model, once, and not for ever."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import uuid4

from rota_contracts.streams import DEAD_LETTERS, JOBS, RESULTS, RUNS
from rota_contracts.values import ModelUsage
from rota_results.handlers import Recorder
from rota_results.repository import RETENTION, Repository
from rota_store import prune
from tests.support.completions import a_completion
from tests.support.world import World

SPENT = [
    ModelUsage(model="a:b", requests=2, input_tokens=90, output_tokens=7, cost_usd=Decimal("0.0033")),
    ModelUsage(model="mine:own", requests=1, input_tokens=10, output_tokens=1, unpriced_requests=1),
]
ROWS = "SELECT * FROM model_usage ORDER BY used_at, model"


async def a_recorder(world: World) -> Recorder:
    bus = await world.bus("results")
    await bus.ensure([JOBS, RUNS, DEAD_LETTERS], [RESULTS])
    return Recorder(Repository(world.database("results")), bus)


async def test_each_attempt_is_kept_with_each_model_it_asked(world: World) -> None:
    recorder = await a_recorder(world)
    context = await world.a_context()
    job = await world.a_job(context)
    event = a_completion(context, job, model_usage=SPENT, agent_name="Briefer")
    await recorder.on_job_completed([event, event])
    await recorder.on_job_completed([event])
    first, second = await world.sql(ROWS)
    assert (first.run_id, first.attempt, first.model) == (event.run_id, 1, "a:b")
    assert (first.requests, first.input_tokens, first.output_tokens) == (2, 90, 7)
    assert (first.cost_usd, first.unpriced_requests) == (Decimal("0.0033"), 0)
    assert (second.model, second.cost_usd, second.unpriced_requests) == ("mine:own", None, 1)
    assert (second.job_id, second.agent_name, second.used_at) == (job, "Briefer", event.completed_at)


async def test_what_is_tried_again_is_no_result_but_was_paid_for(world: World) -> None:
    recorder = await a_recorder(world)
    context = await world.a_context()
    event = a_completion(
        context,
        await world.a_job(context),
        status="error",
        error_kind="timeout",
        final=False,
        model_usage=SPENT,
    )
    assert await recorder.on_job_completed([event]) == 0
    assert len(await world.sql(ROWS)) == 2
    assert await world.sql("SELECT * FROM agent_execution_results") == []


async def test_what_runs_of_a_deleted_context_spent_is_dropped(world: World) -> None:
    recorder = await a_recorder(world)
    await recorder.on_job_completed([a_completion(uuid4(), uuid4(), model_usage=SPENT)])
    assert await world.sql(ROWS) == []


async def test_what_is_old_is_forgotten(world: World) -> None:
    recorder = await a_recorder(world)
    context = await world.a_context()
    job, now = await world.a_job(context), datetime.now(UTC)
    for days in (1, 29, 31):
        at = now - timedelta(days=days)
        await recorder.on_job_completed([a_completion(context, job, model_usage=SPENT, completed_at=at)])
    statements = {"model_usage": RETENTION["model_usage"]}
    assert await prune(world.database("results"), statements, timedelta(days=30)) == 2
    assert {row.used_at for row in await world.sql(ROWS)} == {
        now - timedelta(days=1),
        now - timedelta(days=29),
    }
