"""What writes is entered before it is done, and not done again by itself (I4)."""

import json
from typing import Any
from uuid import UUID

import pytest

from rota_contracts.grants import Pattern
from tests.integration.executor import toolbox
from tests.integration.executor.conftest import Stage
from tests.integration.executor.test_agent_tools import link
from tests.integration.executor.test_standing_grants import a_grant


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
    assert await stage.world.value("SELECT CAST(arguments AS text) FROM tool_effects") == "{}"


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


async def begun(stage: Stage, run_id: UUID, state: str, decision: str | None, **arguments: Any) -> None:
    """A call of `writing` in the first attempt, and what a person said of it."""
    await stage.world.sql(
        """
        WITH begun AS (
            INSERT INTO tool_effects (run_id, attempt, call_id, context_id, tool_name, state, arguments)
            VALUES (:r, 1, gen_random_uuid()::text, :c, 'writing', :s, CAST(:a AS jsonb))
            RETURNING id
        )
        INSERT INTO effect_decisions (effect_id, run_id, context_id, decision)
        SELECT id, :r, :c, :d FROM begun WHERE CAST(:d AS text) IS NOT NULL
        """,
        r=run_id,
        c=stage.context_id,
        s=state,
        a=json.dumps(arguments),
        d=decision,
    )


async def after_decisions(stage: Stage, *calls: tuple[str, str | None, dict[str, Any]]) -> UUID:
    """A run whose second attempt ended as interrupted after these calls, and that was let go on."""
    run_id = await stage.world.an_occurrence(stage.job_id, attempt=3, losses=1)
    for state, decision, arguments in calls:
        await begun(stage, run_id, state, decision, **arguments)
    await stage.world.sql(
        "INSERT INTO run_resumptions (run_id, attempt, context_id, scheduled_for)"
        " SELECT run_id, 2, context_id, scheduled_for FROM occurrences"
    )
    return run_id


async def sending(stage: Stage, *people: str) -> None:
    """An agent that calls `writing` for each of them, and ends with what the last call said."""
    steps = [*(["writing", {"to": one}] for one in people), "{output}"]
    await stage.an_agent(f"scripted:plays:{json.dumps(steps)}", tools=[link("writing", policy="auto")])


async def test_a_tool_that_is_to_be_called_again_is(stage: Stage) -> None:
    run_id = await after_decisions(stage, ("started", "repeated", {"a": 1}))
    done = await stage.ran(tool="writing", arguments={"a": 1}, run_id=run_id, attempt=3, losses=1)
    assert (done.status, toolbox.calls) == ("success", [{"a": 1}])


async def test_only_what_is_to_be_repeated_is_made_again(stage: Stage) -> None:
    """Of three calls one had taken effect, one did so by a person's word, one is to be repeated."""
    ann, bob, eve = ({"to": one} for one in ("ann", "bob", "eve"))
    run_id = await after_decisions(
        stage, ("done", None, ann), ("started", "confirmed", bob), ("started", "repeated", eve)
    )
    # Of a tool that has done something already, what is not known to be the same is asked for.
    await sending(stage, "ann", "bob", "eve")
    asked = await stage.ran(run_id=run_id, attempt=3, losses=1)
    assert (asked.status, [one.arguments for one in asked.pending_actions]) == ("partial", [eve])
    assert toolbox.calls == []


async def test_a_standing_grant_does_not_allow_what_is_in_doubt(stage: Stage) -> None:
    """It was given for calls that are made once."""
    run_id = await after_decisions(stage, ("started", "confirmed", {"to": "ann"}))
    agent = await stage.world.an_agent(
        name="tester",
        context_id=stage.context_id,
        model=f"scripted:plays:{json.dumps([['writing', {'to': 'Ann'}], 'done'])}",
        tools=[{"tool_name": "writing", "policy": "ask"}],
    )
    await a_grant(stage, agent, Pattern(other_arguments="any"))
    asked = await stage.ran(run_id=run_id, attempt=3, losses=1)
    assert (asked.status, toolbox.calls) == ("partial", [])
    assert (await stage.ran()).status == "success"


async def test_a_run_whose_calls_are_all_repeated_begins_anew(stage: Stage) -> None:
    run_id = await after_decisions(stage, ("started", "repeated", {"to": "ann"}))
    await sending(stage, "ann", "bob")
    done = await stage.ran(run_id=run_id, attempt=3, losses=1)
    assert (done.status, done.content) == ("success", "written")
    assert toolbox.calls == [{"to": "ann"}, {"to": "bob"}]


async def test_the_model_reads_that_a_call_was_made_before(stage: Stage) -> None:
    run_id = await after_decisions(stage, ("started", "confirmed", {"to": "ann"}))
    await sending(stage, "ann")
    done = await stage.ran(run_id=run_id, attempt=3, losses=1)
    assert "made already, before the run was interrupted" in str(done.content)
    assert toolbox.calls == []


async def test_what_was_decided_upon_does_not_allow_what_was_interrupted_after(stage: Stage) -> None:
    """The attempt that a person allowed was itself interrupted: they are asked again."""
    run_id = await after_decisions(stage, ("started", "repeated", {"a": 1}))
    await stage.world.sql(
        "INSERT INTO tool_effects (run_id, attempt, call_id, context_id, tool_name, state)"
        " VALUES (:r, 3, 'call/1', :c, 'writing', 'started')",
        r=run_id,
        c=stage.context_id,
    )
    await stage.world.sql("UPDATE occurrences SET attempt = 4")
    done = await stage.ran(tool="writing", run_id=run_id, attempt=4, losses=2)
    assert (done.status, done.error_kind) == ("error", "interrupted")
    assert toolbox.calls == []
