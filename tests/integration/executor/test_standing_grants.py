"""Calls that a person allowed for good are made without asking, as often as was said and no longer."""

import json
from collections.abc import Callable, Coroutine
from typing import Any
from uuid import UUID

import msgspec
import pytest

from rota_contracts.events import JobCompleted
from rota_contracts.grants import Pattern, exactly, prompt_hash, tool_hash
from rota_contracts.tools import ToolDescription
from tests.integration.executor import toolbox
from tests.integration.executor.conftest import Stage
from tests.support.eventually import eventually

WRITING = ToolDescription(
    name="writing", description="A tool.", effect="write", parameters={"type": "object"}
)


@pytest.fixture(autouse=True)
def no_calls() -> None:
    toolbox.calls.clear()


async def an_agent(stage: Stage, *steps: Any) -> UUID:
    """It calls `writing`, which asks; or plays these steps."""
    script = f"plays:{json.dumps(steps)}" if steps else "calls:writing"
    return await stage.world.an_agent(
        name="tester",
        context_id=stage.context_id,
        model=f"scripted:{script}",
        tools=[{"tool_name": "writing", "policy": "ask"}],
    )


async def a_grant(stage: Stage, agent: UUID, pattern: Pattern | None = None, **columns: Any) -> UUID:
    values = {
        "prompt_hash": prompt_hash("Do it."),
        "agent_revision": 1,
        "tool_hash": tool_hash(WRITING),
        "max_uses": None,
        "days": 1,
        **columns,
    }
    found: UUID = await stage.world.value(
        """
        INSERT INTO approval_grants (context_id, job_id, prompt_hash, agent_id, agent_name, agent_revision,
                                     tool_name, tool_hash, pattern, max_uses, expires_at)
        VALUES (:context, :job, :prompt_hash, :agent, 'tester', :agent_revision, 'writing', :tool_hash,
                CAST(:pattern AS jsonb), :max_uses, now() + make_interval(days => :days))
        RETURNING id
        """,
        context=stage.context_id,
        job=stage.job_id,
        agent=agent,
        pattern=msgspec.json.encode(pattern or exactly({})).decode(),
        **values,
    )
    return found


async def uses(stage: Stage) -> list[tuple[Any, ...]]:
    rows = await stage.world.sql("SELECT number, run_id, attempt FROM grant_uses ORDER BY number")
    return [tuple(row) for row in rows]


async def test_a_call_that_is_covered_is_made_and_counted(stage: Stage) -> None:
    await a_grant(stage, await an_agent(stage))
    done = await stage.ran()
    assert (done.status, done.content, done.pending_actions) == ("success", "written", [])
    assert toolbox.calls == [{}]
    assert await uses(stage) == [(1, done.run_id, 1)]


async def test_other_arguments_are_asked_for(stage: Stage) -> None:
    agent = await an_agent(stage, ["writing", {"to": "ann"}], ["writing", {"to": "eve"}], "done")
    await a_grant(stage, agent, exactly({"to": "ann"}))
    done = await stage.ran()
    assert (done.status, [one.arguments for one in done.pending_actions]) == ("partial", [{"to": "eve"}])
    assert toolbox.calls == [{"to": "ann"}]
    assert len(await uses(stage)) == 1


Change = Callable[[Stage], Coroutine[Any, Any, object]]


async def _revoked(stage: Stage) -> None:
    await stage.world.sql("UPDATE approval_grants SET revoked_at = now()")


async def _expired(stage: Stage) -> None:
    await stage.world.sql("UPDATE approval_grants SET expires_at = now()")


async def _agent_saved(stage: Stage) -> None:
    await stage.world.sql("UPDATE agent_configurations SET revision = 2")


async def _own_agent(stage: Stage) -> None:
    """The agent was deleted, and one of the same name made, at the same revision."""
    await stage.world.sql("DELETE FROM agent_configurations")
    await an_agent(stage)


async def _tool_changed(stage: Stage) -> None:
    other = tool_hash(msgspec.structs.replace(WRITING, parameters={"type": "object", "required": []}))
    await stage.world.sql("UPDATE approval_grants SET tool_hash = :h", h=other)


async def _of_other_job(stage: Stage) -> None:
    await stage.world.sql(
        "UPDATE approval_grants SET job_id = :j", j=await stage.world.a_job(stage.context_id)
    )


@pytest.mark.parametrize(
    "change", [_revoked, _expired, _agent_saved, _own_agent, _tool_changed, _of_other_job]
)
async def test_what_is_not_as_it_was_any_more_voids_a_grant(stage: Stage, change: Change) -> None:
    await a_grant(stage, await an_agent(stage))
    await change(stage)
    assert (await stage.ran()).status == "partial"
    assert toolbox.calls == []
    assert await uses(stage) == []


@pytest.mark.parametrize("told", [{"prompt": "Do that."}, {"prompt_context": "And send it to Eve."}])
async def test_a_run_that_was_told_something_else_asks(stage: Stage, told: dict[str, str]) -> None:
    await a_grant(stage, await an_agent(stage))
    assert (await stage.ran(**told)).status == "partial"
    assert toolbox.calls == []


async def test_an_agent_that_is_saved_while_a_run_goes_on_voids_the_grant_for_it(stage: Stage) -> None:
    """Looked up afresh for each call, though the run goes on with the agent that it had begun with."""
    agent = await stage.world.an_agent(
        name="tester",
        context_id=stage.context_id,
        model=f"scripted:plays:{json.dumps([['writing', {}], ['hanging', {}], ['writing', {}], 'done'])}",
        tools=[{"tool_name": "writing", "policy": "ask"}, {"tool_name": "hanging", "policy": "auto"}],
    )
    await a_grant(stage, agent)
    async with stage.executor(EXECUTOR_TOOL_TIMEOUT_SECONDS="1"):
        due = await stage.due()
        await eventually(lambda: uses(stage), what="the first use")
        await stage.world.sql("UPDATE agent_configurations SET revision = 2")
        done = await stage.completed(due)
    assert (done.status, len(done.pending_actions), len(toolbox.calls)) == ("partial", 1, 1)


async def test_parallel_runs_never_take_more_uses_than_there_are(stage: Stage) -> None:
    await a_grant(stage, await an_agent(stage), max_uses=7)
    async with stage.executor(), stage.executor():
        dues = [await stage.due() for _ in range(30)]
        done: list[JobCompleted] = [await stage.completed(due) for due in dues]
    assert sorted(one.status for one in done) == ["partial"] * 23 + ["success"] * 7
    assert len(toolbox.calls) == 7
    assert [number for number, *_ in await uses(stage)] == [1, 2, 3, 4, 5, 6, 7]


async def test_what_is_used_up_leaves_the_call_to_another_grant(stage: Stage) -> None:
    agent = await an_agent(stage)
    await a_grant(stage, agent, max_uses=1)
    second = await a_grant(stage, agent, max_uses=1)
    assert [(await stage.ran()).status for _ in range(3)] == ["success", "success", "partial"]
    assert second in {row[0] for row in await stage.world.sql("SELECT grant_id FROM grant_uses")}
