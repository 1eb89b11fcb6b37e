"""What `rota up` shows of the demo's first run."""

from rota_cli.up.firstresult import report


def test_a_result_is_shown_with_who_when_and_how_long() -> None:
    run = {
        "job_name": "Watch this machine",
        "agent_name": "watchman",
        "status": "success",
        "result_content": "The disk is 23% full.\nThe load is 1.3.",
        "completed_at": "2026-11-21T12:00:05Z",
        "execution_duration_ms": 5_234,
    }
    lines = report(run, title="first result").splitlines()
    assert lines[1].startswith("first result: Watch this machine by watchman, success at 2026-11-2")
    assert lines[1].endswith("in 5.2 s")
    assert lines[2:4] == ["  The disk is 23% full.", "  The load is 1.3."]


def test_a_failure_is_shown_with_its_message() -> None:
    run = {"status": "error", "result_content": None, "error_message": "the model did not answer"}
    assert "  the model did not answer" in report(run, title="first result")
