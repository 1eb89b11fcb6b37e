"""Runs of one job, one after the other: what the next knows of those before it."""

import json
from typing import Any

from rota_contracts.events import JobCompleted
from tests.integration.executor import toolbox
from tests.integration.executor.conftest import Stage
from tests.integration.executor.test_resuming import decided, resumed
from tests.support.eventually import eventually


async def continuing(stage: Stage, mode: str, **columns: Any) -> None:
    values = {"continuity": mode, **columns}
    assignments = ", ".join(f"{name} = :{name}" for name in values)
    await stage.world.sql(
        f"UPDATE scheduled_jobs SET {assignments} WHERE id = :id", id=stage.job_id, **values
    )


async def ran(stage: Stage, *prompts: str) -> list[JobCompleted]:
    async with stage.executor():
        return [await stage.completed(await stage.due(prompt)) for prompt in prompts]


async def test_without_continuity_a_run_knows_nothing_and_leaves_nothing(stage: Stage) -> None:
    await stage.an_agent("scripted:recalls")
    assert [one.content for one in await ran(stage, "First.", "Second.")] == ["First.", "Second."]
    assert await stage.world.sql("SELECT 1 FROM run_attempts WHERE carried IS NOT NULL") == []


async def test_the_last_outcome_stands_before_the_prompt_as_data(stage: Stage) -> None:
    report = {"status": "nothing", "summary": "All is quiet."}
    await stage.an_agent(f"scripted:plays:{json.dumps([['report_outcome', report], 'Nothing new.'])}")
    await continuing(stage, "last_outcome")
    await ran(stage, "First.", "Second.")
    await stage.world.sql("UPDATE agent_configurations SET model = 'scripted:echo'")
    [third] = await ran(stage, "Third.")
    told = str(third.content)
    assert told.endswith("\n\nThird.")
    assert told.count("Nothing new.") == told.count("All is quiet.") == 1
    assert '"status":"nothing"' in told
    assert third.prompt == "Third."


async def test_the_last_outcomes_are_as_many_as_the_job_says(stage: Stage) -> None:
    await continuing(stage, "last_n_outcomes", continuity_outcomes=2)
    for answer in ("one", "two", "three"):
        await stage.world.sql("DELETE FROM agent_configurations")
        await stage.an_agent(f"scripted:says:{answer}")
        await ran(stage, "Go on.")
    await stage.world.sql("UPDATE agent_configurations SET model = 'scripted:echo'")
    told = str((await ran(stage, "Now?"))[0].content)
    assert ["one" in told, told.index('"two"') < told.index('"three"')] == [False, True]


async def test_a_conversation_goes_on_from_run_to_run(stage: Stage) -> None:
    await stage.an_agent("scripted:recalls", examples=[{"input": "Example.", "output": "Yes."}])
    await continuing(stage, "conversation")
    runs = await ran(stage, "First.", "Second.", "Third.")
    assert runs[-1].content == "Example. | First. | Second. | Third."
    entries = await stage.world.value(
        "SELECT transcript FROM run_attempts WHERE run_id = :run", run=runs[-1].run_id
    )
    said = [one["content"] for one in json.loads(entries)]
    assert said == ["Be brief.", "Third.", runs[-1].content]


async def test_a_report_of_an_earlier_run_is_none_of_this_one(stage: Stage) -> None:
    report = {"status": "needs_attention", "summary": "The disk is full."}
    await stage.an_agent(
        f"scripted:plays:{json.dumps([['report_outcome', report], 'Look!', 'All is well.'])}"
    )
    await continuing(stage, "conversation")
    first, second = await ran(stage, "First.", "Second.")
    assert (first.outcome and first.outcome.status, second.outcome and second.outcome.status) == (
        "needs_attention",
        "changed",
    )
    assert second.content == "All is well."


async def test_a_failed_run_does_not_break_the_conversation(stage: Stage) -> None:
    await stage.an_agent("scripted:recalls")
    await continuing(stage, "conversation")
    await ran(stage, "First.")
    await stage.world.sql("UPDATE agent_configurations SET model = 'scripted:fail'")
    assert (await ran(stage, "Second."))[0].status == "error"
    await stage.world.sql("UPDATE agent_configurations SET model = 'scripted:recalls'")
    assert (await ran(stage, "Third."))[0].content == "First. | Third."


async def test_a_conversation_that_waited_for_a_person_goes_on_in_the_next_run(stage: Stage) -> None:
    toolbox.calls.clear()
    await stage.an_agent("scripted:recalls")
    await continuing(stage, "conversation")
    await ran(stage, "First.")
    tool = {"tool_name": "writing", "mode": "model", "policy": "ask", "arguments": {}}
    await stage.world.sql("DELETE FROM agent_configurations")
    steps = ["-", ["writing", {}], "Written.", "Bye."]
    await stage.an_agent(f"scripted:plays:{json.dumps(steps)}", tools=[tool])
    async with stage.executor():
        due = await stage.due("Second.")
        ended = await stage.completed(due)
    assert ended.status == "partial"
    await decided(stage, due, ended, "approved")
    assert (await resumed(stage, due)).content == "Written."
    await stage.world.sql("UPDATE agent_configurations SET model = 'scripted:recalls'")
    assert (await ran(stage, "Third."))[0].content == "First. | Second. | Third."


async def test_what_was_reset_is_forgotten_also_by_a_run_that_went_on_meanwhile(stage: Stage) -> None:
    await stage.an_agent("scripted:recalls")
    await continuing(stage, "conversation")
    await ran(stage, "First.")
    await stage.world.sql("UPDATE agent_configurations SET model = 'scripted:slow'")
    async with stage.executor():
        due = await stage.due("sleep 0.5")

        async def is_running() -> bool:
            return await stage.attempt(due) is not None

        await eventually(is_running)
        await stage.world.sql(
            "INSERT INTO job_continuity_resets (job_id, context_id) VALUES (:j, :c)",
            j=stage.job_id,
            c=stage.context_id,
        )
        assert (await stage.completed(due)).status == "success"
    await stage.world.sql("UPDATE agent_configurations SET model = 'scripted:recalls'")
    runs = await ran(stage, "Third.", "Fourth.")
    assert [one.content for one in runs] == ["Third.", "Third. | Fourth."]


async def test_a_conversation_that_nobody_can_read_is_begun_anew_with_a_warning(stage: Stage) -> None:
    await stage.an_agent("scripted:recalls")
    await continuing(stage, "conversation")
    await ran(stage, "First.")
    await stage.world.sql(
        "UPDATE run_attempts"
        " SET carried = CAST(jsonb_set(CAST(carried AS jsonb), '{messages}', '\"[1]\"') AS text)"
    )
    [second] = await ran(stage, "Second.")
    assert (second.status, second.content) == ("success", "Second.")
    assert "begun anew" in second.warnings[0]
