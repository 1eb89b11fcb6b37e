"""What attempts spend that never come to an outcome: known as far as it was written down, counted once."""

import asyncio
import json
import signal
from decimal import Decimal
from pathlib import Path
from typing import Any

from rota_contracts.events import JobDue
from rota_contracts.streams import DEAD_LETTERS, JOBS, RESULTS, RUNS
from rota_results.handlers import Recorder
from rota_results.repository import Repository
from tests.integration.executor.conftest import Stage
from tests.integration.executor.process import process
from tests.support.eventually import eventually

# Two calls of a model at a price, and then a tool that takes for ever.
SCRIPT = json.dumps([["recorded", {}], ["hanging", {}], "Done."])
LINKS: list[dict[str, Any]] = [
    {"tool_name": name, "mode": "model", "arguments": {}} for name in ("recorded", "hanging")
]


async def a_recorder(stage: Stage) -> Recorder:
    bus = await stage.world.bus("results")
    await bus.ensure([JOBS, RUNS, DEAD_LETTERS], [RESULTS])
    return Recorder(Repository(stage.world.database("results")), bus)


async def spent(stage: Stage, event: JobDue, requests: int) -> Any:
    """What is written down of the attempt, once so many calls are."""

    async def found() -> Any:
        row = await stage.attempt(event)
        document = row and row.spent and json.loads(row.spent)
        return document if document and document["models"][0]["requests"] == requests else None

    return await eventually(found, what=f"the spending of {requests} calls")


async def usage(stage: Stage) -> list[Any]:
    return await stage.world.sql("SELECT * FROM model_usage ORDER BY attempt, model")


async def next_attempt(stage: Stage, event: JobDue) -> JobDue:
    """As the ticker has it after the executor is gone."""
    await stage.world.sql("UPDATE occurrences SET attempt = 2 WHERE run_id = :r", r=event.run_id)
    return await stage.due(run_id=event.run_id, attempt=2)


async def test_what_a_killed_executor_had_spent_is_counted_once_beside_what_the_next_one_does(
    stage: Stage, tmp_path: Path
) -> None:
    await stage.an_agent(f"paid:plays:{SCRIPT}", tools=LINKS)
    recorder = await a_recorder(stage)
    async with process(stage, tmp_path / "log") as running:
        event = await stage.due()
        document = await spent(stage, event, 2)
        await recorder.sweep()
        assert await usage(stage) == []  # it goes on
        running.kill()
        running.wait()
    assert (document["job_name"], document["agent_name"]) == ("a job", "tester")

    await stage.world.sql("UPDATE agent_configurations SET model = 'paid:noop'")
    async with stage.executor():
        again = await next_attempt(stage, event)
        completed = await stage.completed(again)
    for _ in range(2):
        await recorder.sweep()
        await recorder.on_job_completed([completed, completed])
    first, second = await usage(stage)
    [known] = document["models"]
    assert (first.attempt, first.model, first.requests) == (1, f"paid:plays:{SCRIPT}", 2)
    assert (first.input_tokens, first.output_tokens) == (known["input_tokens"], known["output_tokens"])
    assert first.cost_usd == Decimal(known["cost_usd"]) > 0
    assert (first.job_name, first.agent_name, first.job_id) == ("a job", "tester", stage.job_id)
    assert (second.attempt, second.model, second.requests) == (2, "paid:noop", 1)
    assert second.cost_usd == completed.model_usage[0].cost_usd


async def test_what_an_attempt_had_spent_that_is_handed_over_is_written_down(
    stage: Stage, tmp_path: Path
) -> None:
    await stage.an_agent(f"paid:plays:{SCRIPT}", tools=LINKS)
    async with process(stage, tmp_path / "log", EXECUTOR_GRACE_SECONDS="0") as running:
        event = await stage.due()
        await spent(stage, event, 2)
        running.send_signal(signal.SIGTERM)
        await asyncio.to_thread(running.wait, 30)
    assert (await stage.attempt(event)).state == "released"
    await next_attempt(stage, event)
    await (await a_recorder(stage)).sweep()
    assert [(one.attempt, one.requests) for one in await usage(stage)] == [(1, 2)]


async def test_an_outcome_that_comes_all_the_same_takes_the_place_of_what_was_known_before(
    stage: Stage,
) -> None:
    await stage.an_agent("paid:noop")
    completed = await stage.ran()
    recorder = await a_recorder(stage)
    less = {
        "model": "paid:noop",
        "requests": 0,
        "input_tokens": 1,
        "output_tokens": 0,
        "unpriced_requests": 0,
    }
    await stage.world.sql(
        """UPDATE run_attempts SET state = 'released', outcome = NULL, ended_at = NULL, spent_at = now(),
           spent = CAST(:spent AS jsonb)""",
        spent=json.dumps({"job_name": "a job", "agent_name": "tester", "models": [less]}),
    )
    await stage.world.sql("UPDATE occurrences SET attempt = 2")
    await recorder.sweep()
    assert [one.requests for one in await usage(stage)] == [0]
    await recorder.on_job_completed([completed])
    await recorder.sweep()
    [row] = await usage(stage)
    assert (row.requests, row.input_tokens) == (1, completed.usage.input_tokens)
    assert row.cost_usd == completed.usage.cost_usd
