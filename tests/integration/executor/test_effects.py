"""What writes is entered before it is done, and not done again by itself (I4)."""

from uuid import UUID

import pytest

from tests.integration.executor import toolbox
from tests.integration.executor.conftest import Stage
from tests.integration.executor.test_agent_tools import link


@pytest.fixture(autouse=True)
def no_calls() -> None:
    toolbox.calls.clear()


async def effects(stage: Stage) -> list[tuple[str, str]]:
    rows = await stage.world.sql("SELECT tool_name, state FROM tool_effects ORDER BY started_at")
    return [tuple(row) for row in rows]


async def an_interrupted_run(stage: Stage, state: str) -> UUID:
    """A run whose first attempt began to write, and whose executor vanished."""
    run_id = await stage.world.an_occurrence(stage.job_id, attempt=2, losses=1)
    await stage.world.sql(
        "INSERT INTO tool_effects (run_id, attempt, call_id, context_id, tool_name, state)"
        " VALUES (:r, 1, 'call/0', :c, 'send_mail', :s)",
        r=run_id,
        c=stage.context_id,
        s=state,
    )
    return run_id


async def test_a_job_may_name_a_tool_instead_of_an_agent(stage: Stage) -> None:
    completed = await stage.ran(tool="recorded", arguments={"a": 1})
    assert (completed.status, completed.content, completed.tool) == (
        "success",
        "the answer is 42",
        "recorded",
    )
    assert (completed.usage.requests, completed.usage.tool_calls) == (0, 1)
    assert toolbox.calls == [{"a": 1}]
    assert await effects(stage) == []


async def test_a_tool_that_there_is_not_says_which_there_are(stage: Stage) -> None:
    completed = await stage.ran(tool="of_tomorrow")
    assert (completed.status, completed.error_kind) == ("error", "invalid_configuration")
    assert "recorded" in (completed.error_message or "")


async def test_a_tool_that_fails_alone_is_an_error_that_may_be_retried(stage: Stage) -> None:
    completed = await stage.ran(tool="broken", max_retries=2)
    assert (completed.error_kind, completed.final) == ("tool_error", False)
    assert completed.error_message == "The tool 'broken' failed: the pump is jammed."


async def test_a_call_that_writes_is_entered_and_closed(stage: Stage) -> None:
    await stage.an_agent("scripted:calls:writing", tools=[link("writing", policy="auto")])
    completed = await stage.ran()
    assert completed.content == "written"
    assert await effects(stage) == [("writing", "done")]


async def test_a_failure_after_writing_is_not_retried(stage: Stage) -> None:
    completed = await stage.ran(tool="writing_and_failing", max_retries=3)
    assert (completed.error_kind, completed.final) == ("tool_error", True)
    assert await effects(stage) == [("writing_and_failing", "failed")]


@pytest.mark.parametrize(("state", "told"), [("started", "not known"), ("done", "done")])
async def test_a_run_that_was_interrupted_after_it_began_to_write_is_left_to_a_person(
    stage: Stage, state: str, told: str
) -> None:
    run_id = await an_interrupted_run(stage, state)
    completed = await stage.ran(tool="recorded", run_id=run_id, attempt=2, losses=1)
    assert (completed.status, completed.error_kind, completed.final) == ("error", "interrupted", True)
    assert "'send_mail'" in (completed.error_message or "")
    assert told in (completed.error_message or "")
    assert toolbox.calls == []
