"""A dry run reads, writes nothing, and lists what it came to."""

import json
from typing import Any

import pytest

from rota_contracts.grants import exactly
from tests.integration.executor import toolbox
from tests.integration.executor.conftest import Stage
from tests.integration.executor.test_standing_grants import a_grant, uses


@pytest.fixture(autouse=True)
def no_calls() -> None:
    toolbox.calls.clear()


async def an_agent(stage: Stage, *steps: Any, **policies: str) -> Any:
    links = [{"tool_name": name, "policy": policy} for name, policy in policies.items()]
    return await stage.world.an_agent(
        name="tester",
        context_id=stage.context_id,
        model=f"scripted:plays:{json.dumps(steps)}",
        tools=links,
    )


async def test_what_reads_is_done_and_all_else_is_listed(stage: Stage) -> None:
    await an_agent(
        stage,
        ["recorded", {"q": 1}],
        ["writing", {"to": "ann"}],
        ["full", {}],
        ["telling", {}],
        "{output}",
        recorded="auto",
        writing="auto",
        full="ask",
        telling="deny",
    )
    done = await stage.ran(trigger="dry_run")
    assert (done.status, done.trigger, done.pending_actions) == ("success", "dry_run", [])
    listed = [(one.tool_name, one.arguments, one.policy, one.is_made) for one in done.rehearsed_calls]
    assert listed == [
        ("recorded", {"q": 1}, "auto", True),
        ("writing", {"to": "ann"}, "auto", False),
        ("full", {}, "ask", False),
        ("telling", {}, "deny", False),
    ]
    assert toolbox.calls == [{"q": 1}]
    assert await stage.world.value("SELECT count(*) FROM tool_effects") == 0


async def test_the_model_is_told_that_a_call_was_written_down(stage: Stage) -> None:
    await an_agent(stage, ["writing", {}], "{output}", writing="ask")
    done = await stage.ran(trigger="dry_run")
    assert "dry run: the call was written down and not made" in str(done.content)


async def test_it_says_what_a_grant_covers_and_takes_no_use_of_it(stage: Stage) -> None:
    agent = await an_agent(
        stage, ["writing", {"to": "ann"}], ["writing", {"to": "eve"}], "done", writing="ask"
    )
    await a_grant(stage, agent, exactly({"to": "ann"}), max_uses=1)
    done = await stage.ran(trigger="dry_run")
    assert [one.is_granted for one in done.rehearsed_calls] == [True, False]
    assert await uses(stage) == []
    real = await stage.ran()
    assert (toolbox.calls, len(real.pending_actions)) == ([{"to": "ann"}], 1)
    used_up = await stage.ran(trigger="dry_run")
    assert [one.is_granted for one in used_up.rehearsed_calls] == [False, False]


async def test_tools_without_a_model_or_before_it_write_nothing_either(stage: Stage) -> None:
    alone = await stage.ran(tool="writing", arguments={"a": 1}, trigger="dry_run")
    assert [one.arguments for one in alone.rehearsed_calls] == [{"a": 1}]
    await stage.an_agent(tools=[{"tool_name": "writing", "mode": "prefetch", "policy": "auto"}])
    before = await stage.ran(trigger="dry_run")
    assert [one.tool_name for one in before.rehearsed_calls] == ["writing"]
    assert toolbox.calls == []


async def test_one_that_fails_is_not_tried_again(stage: Stage) -> None:
    await stage.an_agent("scripted:fail")
    done = await stage.ran(trigger="dry_run", max_retries=3)
    assert (done.status, done.final) == ("error", True)


async def test_it_leaves_nothing_to_later_runs(stage: Stage) -> None:
    await stage.world.sql("UPDATE scheduled_jobs SET continuity = 'last_outcome'")
    await an_agent(
        stage, ["job_notebook_write", {"key": "k", "value": "v"}], "done", job_notebook_write="auto"
    )
    done = await stage.ran(trigger="dry_run")
    assert [one.tool_name for one in done.rehearsed_calls] == ["job_notebook_write"]
    assert await stage.world.value("SELECT count(*) FROM job_notebooks") == 0
    assert await stage.world.value("SELECT count(carried) FROM run_attempts") == 0


async def test_a_list_that_grows_too_long_says_so(stage: Stage) -> None:
    await an_agent(stage, *[["writing", {"n": number}] for number in range(101)], "done", writing="auto")
    await stage.world.sql("""UPDATE agent_configurations SET limits = '{"request_limit": 200}'""")
    done = await stage.ran(trigger="dry_run")
    assert len(done.rehearsed_calls) == 100
    assert any("more calls than can be listed" in warning for warning in done.warnings)
