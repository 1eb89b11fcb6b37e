"""What a run came to, as its agent reports it."""

import json
from typing import Any

from rota_contracts.values import ReportedOutcome
from tests.integration.executor import toolbox
from tests.integration.executor.conftest import Stage
from tests.integration.executor.test_resuming import decided, resumed

REPORT: dict[str, Any] = {
    "status": "needs_attention",
    "summary": "The disk is full.",
    "fingerprint": "disk-full",
}
PLAIN = ReportedOutcome(status="changed")


def plays(*steps: object) -> str:
    return f"scripted:plays:{json.dumps(steps)}"


async def test_a_reported_outcome_travels_with_the_answer(stage: Stage) -> None:
    await stage.an_agent(plays(["report_outcome", REPORT], "Look at the disk."))
    completed = await stage.ran()
    assert (completed.status, completed.content) == ("success", "Look at the disk.")
    assert completed.outcome == ReportedOutcome(**{"severity": "warning", **REPORT})


async def test_a_failed_outcome_is_no_failed_run(stage: Stage) -> None:
    report: dict[str, Any] = {"status": "failed", "summary": "There is no such page.", "severity": "critical"}
    await stage.an_agent(plays(["report_outcome", report], "I could not."))
    completed = await stage.ran()
    assert (completed.status, completed.error_kind) == ("success", None)
    assert completed.outcome == ReportedOutcome(**report)


async def test_plain_text_counts_as_changed_whatever_it_says(stage: Stage) -> None:
    await stage.an_agent("scripted:says:nothing needs_attention failed")
    assert (await stage.ran()).outcome == PLAIN


async def test_a_report_that_was_not_taken_is_none(stage: Stage) -> None:
    await stage.an_agent(plays(["report_outcome", {"status": "great", "summary": "x"}], "Done."))
    completed = await stage.ran()
    assert (completed.content, completed.outcome) == ("Done.", PLAIN)


async def test_of_two_reports_the_last_holds(stage: Stage) -> None:
    later: dict[str, Any] = {"status": "nothing", "summary": "It is free again."}
    await stage.an_agent(plays(["report_outcome", REPORT], ["report_outcome", later], "Done."))
    assert (await stage.ran()).outcome == ReportedOutcome(**later)


async def test_an_error_has_no_outcome(stage: Stage) -> None:
    await stage.an_agent(plays(["report_outcome", REPORT], None))
    completed = await stage.ran()
    assert (completed.status, completed.outcome) == ("error", None)


async def test_a_report_outlives_the_wait_for_a_person(stage: Stage) -> None:
    """It is reported before the run parks; another executor ends the run."""
    toolbox.calls.clear()
    await stage.an_agent(
        plays(["report_outcome", REPORT], ["writing", {}], "Written."),
        tools=[{"tool_name": "writing", "mode": "model", "policy": "ask", "arguments": {}}],
    )
    async with stage.executor():
        due = await stage.due()
        ended = await stage.completed(due)
    assert (ended.status, ended.outcome) == ("partial", None)
    await decided(stage, due, ended, "approved")
    done = await resumed(stage, due)
    assert (done.status, done.content) == ("success", "Written.")
    assert done.outcome is not None
    assert done.outcome.fingerprint == "disk-full"


async def test_a_tool_alone_changed_something(stage: Stage) -> None:
    completed = await stage.ran(tool="clock")
    assert (completed.status, completed.outcome) == ("success", PLAIN)
