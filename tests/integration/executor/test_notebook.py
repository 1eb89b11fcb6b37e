"""The notebook of a job: what one run notes, the next one reads; with the outcome, or not at all."""

import asyncio
import json
from typing import Any
from uuid import uuid4

import pytest

from rota_contracts.events import JobCompleted
from rota_executor.adapters.tools.job_notebook import MAX_CHARACTERS, MAX_NOTES, require_room, with_changes
from rota_executor.deadline import Terms
from rota_executor.domain import Record, kept_notes
from rota_executor.repository import AttemptKey, Ended, Repository
from rota_executor.repository.notebooks import Note
from tests.integration.executor.conftest import Stage
from tests.support.toolkit import tool


async def wrote(stage: Stage, key: str, value: str | None) -> Any:
    event = await stage.due(tool="job_notebook_write", arguments={"key": key, "value": value})
    return await stage.completed(event)


async def read(stage: Stage, **arguments: Any) -> str:
    return str((await stage.completed(await stage.due(tool="job_notebook", arguments=arguments))).content)


async def test_a_later_run_reads_what_an_earlier_one_noted(stage: Stage) -> None:
    async with stage.executor():
        assert await read(stage) == "the notebook is empty"
        assert (await wrote(stage, "seen", "41")).content == "noted: seen"
        await wrote(stage, "seen", "42")
        await wrote(stage, "a", "two\nlines\x00")
        assert await read(stage) == "a: two\nlines\N{REPLACEMENT CHARACTER}\nseen: 42"
        assert await read(stage, key="seen") == "42"
        assert (await wrote(stage, "seen", None)).content == "forgotten: seen"
        assert await read(stage, key="seen") == "there is no note 'seen'"
    rows = await stage.world.sql("SELECT job_id, context_id, key FROM job_notebooks")
    assert [tuple(row) for row in rows] == [(stage.job_id, stage.context_id, "a")]
    # Nothing that could be repeated by mistake: it is in no ledger.
    assert await stage.world.value("SELECT count(*) FROM tool_effects") == 0


async def test_another_job_has_another_notebook(stage: Stage) -> None:
    async with stage.executor():
        await wrote(stage, "mine", "1")
        stage.job_id = await stage.world.a_job(stage.context_id)
        assert await read(stage) == "the notebook is empty"
        await stage.world.sql("DELETE FROM scheduled_jobs")
    assert await stage.world.value("SELECT count(*) FROM job_notebooks") == 0


async def play(stage: Stage, *steps: Any) -> JobCompleted:
    """A run of an agent that does these things, with the notebook and a tool that writes at hand."""
    links = [
        {"tool_name": "job_notebook_write"},
        {"tool_name": "job_notebook"},
        {"tool_name": "writing", "policy": "auto"},
    ]
    await stage.an_agent(f"scripted:plays:{json.dumps(steps)}", tools=links)
    return await stage.ran()


NOTE = ["job_notebook_write", {"key": "seen", "value": "1"}]


async def test_a_run_reads_what_it_noted_itself_and_need_not_ask(stage: Stage) -> None:
    completed = await play(stage, NOTE, ["job_notebook", {"key": "seen"}], "It is {output}.")
    assert (completed.status, completed.content) == ("success", "It is 1.")
    assert await stage.world.value("SELECT value FROM job_notebooks") == "1"


async def test_what_a_failed_run_noted_is_not_kept(stage: Stage) -> None:
    """The next attempt, or the next run, must not think that what was noted was told."""
    completed = await play(stage, NOTE, None)
    assert (completed.status, completed.error_kind) == ("error", "model_error")
    assert await stage.world.value("SELECT count(*) FROM job_notebooks") == 0


async def test_what_a_run_noted_about_what_it_wrote_is_kept_though_it_failed(stage: Stage) -> None:
    completed = await play(stage, ["writing", {}], NOTE, None)
    assert completed.status == "error"
    assert await stage.world.value("SELECT value FROM job_notebooks") == "1"


async def test_two_runs_that_end_together_may_have_noted_the_same(stage: Stage) -> None:
    async with stage.executor():
        ended = await asyncio.gather(*(wrote(stage, "same", str(number)) for number in range(20)))
    assert {one.status for one in ended} == {"success"}
    assert int(await stage.world.value("SELECT value FROM job_notebooks")) in range(20)


async def test_an_outcome_that_comes_too_late_takes_its_notes_with_it(stage: Stage) -> None:
    event = await stage.due("note", publish=False)
    note = Note(stage.job_id, stage.context_id, event.run_id, "seen", "1")
    ended = Ended(AttemptKey(event.run_id, 1), "{}", None, notes=[note])
    async with stage.executor():
        repository = Repository(stage.world.database("executor"), Terms(20, 2))
        assert await repository.end("somebody else", [ended], uuid4()) == set()
    assert await stage.world.value("SELECT count(*) FROM job_notebooks") == 0


def test_only_so_much_fits() -> None:
    require_room({str(number): "x" for number in range(MAX_NOTES)})
    with pytest.raises(ValueError, match="101 notes"):
        require_room({str(number): "x" for number in range(MAX_NOTES + 1)})
    with pytest.raises(ValueError, match="forget something first"):
        require_room({"k": "x" * MAX_CHARACTERS})
    assert with_changes({"a": "1", "b": "2"}, {"a": None, "c": "3"}) == {"b": "2", "c": "3"}


@pytest.mark.parametrize("key", ["", " x", "x" * 101, "x\ny"])
def test_a_key_is_one_short_line(key: str) -> None:
    assert tool("job_notebook_write").problem({"key": key, "value": "v"}) is not None


def test_notes_outlive_a_failure_only_beside_other_effects() -> None:
    record = Record(notes={"a": "1"})
    assert kept_notes("success", record) == kept_notes("partial", record) == {"a": "1"}
    assert kept_notes("error", record) == {}
    record.effects.append("http_request")
    assert kept_notes("error", record) == {"a": "1"}
