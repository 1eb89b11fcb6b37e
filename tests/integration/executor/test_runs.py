"""A run from job.due to job.completed."""

import json

from rota_contracts.ids import session_id_for
from tests.integration.executor.conftest import Stage
from tests.support.eventually import eventually
from tests.support.scripted import ANSWER, BLOCKS


async def test_success(stage: Stage) -> None:
    await stage.an_agent("scripted:noop", revision=7)
    async with stage.executor():
        event = await stage.due()
        completed = await stage.completed(event)
        await eventually(stage.acknowledged)
    assert (completed.status, completed.content, completed.final) == ("success", ANSWER, True)
    assert (completed.prompt, completed.agent_revision, completed.model) == ("Do it.", 7, "scripted:noop")
    assert completed.session_id == session_id_for(event.run_id, 1)
    assert completed.usage.requests == 1
    row = await stage.attempt(event)
    assert (row.state, json.loads(row.outcome)["status"]) == ("ended", "success")
    assert await stage.world.sql("SELECT * FROM unpublished_outcomes") == []
    assert [(one["position"], one["role"], one["content"]) for one in json.loads(row.transcript)] == [
        (1, "system", "Be brief."),
        (2, "user", "Do it."),
        (3, "assistant", ANSWER),
    ]


async def test_content_blocks_normalised(stage: Stage) -> None:
    """Several parts travel as blocks; results joins them."""
    await stage.an_agent("scripted:blocks")
    completed = await stage.ran()
    assert not isinstance(completed.content, str)
    assert [(block.type, block.text) for block in completed.content] == [("text", text) for text in BLOCKS]


async def test_duration_stored(stage: Stage) -> None:
    await stage.an_agent("scripted:slow")
    async with stage.executor():
        event = await stage.due("sleep 0.3")
        completed = await stage.completed(event)
    assert 300 <= completed.execution_duration_ms < 10_000
    took = completed.completed_at - completed.started_at
    assert round(took.total_seconds() * 1000) == completed.execution_duration_ms
    outcome = json.loads((await stage.attempt(event)).outcome)
    assert outcome["execution_duration_ms"] == completed.execution_duration_ms


async def test_a_run_that_stands_for_several_due_times_tells_the_agent(stage: Stage) -> None:
    await stage.an_agent("scripted:echo")
    completed = await stage.ran("Look.", instants=5)
    assert isinstance(completed.content, str)
    assert completed.content == completed.prompt
    assert "stands for 5 due times" in completed.content
