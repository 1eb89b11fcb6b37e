"""Commands about when jobs run: against a stand-in that says what the gateway says."""

import json
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.cli.test_client import CONTEXT, JOB, RUN, Gateway, Rota, _job

CALENDAR = "44444444-4444-4444-8444-444444444444"


@pytest.fixture(autouse=True)
def _in_berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.delenv("TZ")
    time.tzset()


def test_cron_says_a_schedule_in_words_without_any_gateway(gateway: Gateway, rota: Rota) -> None:
    arguments = ("cron", "30 2 * * *", "--tz", "Europe/Berlin", "--after", "2027-03-27T12:00", "--count", "2")
    said = rota(*arguments, data_dir=False)
    assert said.out.startswith("At 02:30, every day (Europe/Berlin)")
    assert "Sun 2027-03-28 03:00:00 +0200" in said.out
    assert "02:30 does not exist and runs now instead" in said.out
    told = json.loads(rota(*arguments, "--json", data_dir=False).out)
    assert [one["utc"] for one in told["next"]] == ["2027-03-28T01:00:00Z", "2027-03-29T00:30:00Z"]
    assert gateway.asked == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("0 0 31 2 *",), "never comes"),
        (("* * * * * *",), "seconds_field"),
        (("@daily", "--tz", "Mars"), "IANA"),
        (("@at 2020-01-01T00:00",), "in the past"),
        (("@daily", "--after", "tomorrow"), "no instant"),
    ],
)
def test_cron_refuses_with_the_reason(rota: Rota, arguments: tuple[str, ...], words: str) -> None:
    said = rota("cron", *arguments, data_dir=False)
    assert (said.code, said.out) == (1, "")
    assert words in said.err


def test_cron_takes_seconds_and_intervals(rota: Rota) -> None:
    said = rota("cron", "*/10 * * * * *", "--seconds", "--count", "3", data_dir=False)
    assert len(re.findall(r":\d0 \+0000", said.out)) == 3
    after = ("--after", "2027-01-01T10:00", "--tz", "Europe/Berlin")
    said = rota("cron", "@every 90s", *after, data_dir=False)
    assert "Every 1 minute 30 seconds, counted from 2027-01-01 10:00" in said.out


def test_why_prints_the_sentence(gateway: Gateway, rota: Rota) -> None:
    told = {"instant": "2027-01-31T08:00:00Z", "answer": "It did not run.", "occurrence": None}
    gateway.answer("GET", f"/jobs/{JOB}/why", told)
    assert rota("why", JOB).out == "2027-01-31T08:00:00Z: It did not run.\n"
    assert json.loads(rota("why", JOB, "2027-01-31T09:00", "--json").out) == told
    assert [asked[2] for asked in gateway.asked] == [{}, {"at": "2027-01-31T09:00:00+01:00"}]


def test_the_doctor_fails_where_something_is_not_accounted_for(gateway: Gateway, rota: Rota) -> None:
    well: dict[str, Any] = {
        "jobs_checked": 3,
        "instants_expected": 100,
        "instants_accounted": 100,
        "differences": [],
        "behind": [{"job_id": JOB, "name": "late", "since": "2026-11-21T12:00:00Z"}],
        "unplanned": [{"job_id": JOB, "name": "odd", "reason": "never comes"}],
    }
    difference = {
        "job_id": JOB,
        "name": "look [around]",
        "from": "2026-11-21T12:00:00Z",
        "until": "2026-11-22T12:00:00Z",
        "expected": 24,
        "accounted": 23,
        "note": "1 due instants are in no row of the ledger",
    }
    gateway.answer("GET", "/doctor", well)
    gateway.answer("GET", "/doctor", {**well, "differences": [difference]})
    said = rota("doctor")
    assert (said.code, "every one of them is accounted for" in said.out) == (0, True)
    assert all(words in said.out for words in ("3 jobs: 100 instants", "late", "never comes"))
    said = rota("doctor", "--context", CONTEXT)
    assert (said.code, "look [around]" in said.out, "no row of the ledger" in said.out) == (1, True, True)
    assert gateway.asked[-1][2] == {"context_id": CONTEXT}


def test_a_job_is_created_with_every_field(gateway: Gateway, rota: Rota) -> None:
    gateway.answer("POST", f"/contexts/{CONTEXT}/jobs", _job(tool="clock"), status=201)
    said = rota(
        *("jobs", "create", "--context", CONTEXT, "--name", "tick", "--cron", "*/10 * * * * *", "--seconds"),
        *("--tool", "clock", "--arguments", '{"timezone": "UTC"}', "--exclude", "2027-12-24"),
        *("--exclude", "2027-12-31", "--calendar", "Holidays", "--overlap", "allow", "--catch-up", "all"),
        *("--start-at", "2027-01-01T00:00", "--end-at", "2027-02-01T00:00Z", "--jitter-seconds", "5"),
        *("--priority", "1", "--retry-backoff", "exponential", "--auto-pause-after", "3", "--max-runs", "9"),
    )
    assert said.code == 0, said.err
    assert gateway.asked[-1][3] == {
        "name": "tick",
        "cron_expression": "*/10 * * * * *",
        "seconds_field": True,
        "tool": "clock",
        "arguments": {"timezone": "UTC"},
        "excluded_dates": ["2027-12-24", "2027-12-31"],
        "calendars": ["Holidays"],
        "overlap_policy": "allow",
        "catch_up_policy": "all",
        "start_at": "2027-01-01T00:00:00+01:00",
        "end_at": "2027-02-01T00:00Z",
        "jitter_seconds": 5,
        "priority": 1,
        "retry_backoff": "exponential",
        "auto_pause_after": 3,
        "max_runs": 9,
    }


def test_an_update_may_empty_fields(gateway: Gateway, rota: Rota) -> None:
    gateway.answer("PATCH", f"/jobs/{JOB}", _job())
    rota("jobs", "update", JOB, "--no-seconds", "--clear", "end_at", "--clear", "calendars")
    assert gateway.asked[-1][3] == {"seconds_field": False, "end_at": None, "calendars": []}


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [("--arguments", "{", "no JSON"), ("--start-at", "soon", "no instant"), ("--overlap", "never", "never")],
)
def test_what_cannot_be_read_is_told_before_anything_is_asked(
    gateway: Gateway, rota: Rota, option: str, value: str, words: str
) -> None:
    said = rota("jobs", "update", JOB, option, value)
    assert said.code in {1, 2}
    assert words in said.err
    assert gateway.asked == []


def test_pausing_enabling_and_skipping(gateway: Gateway, rota: Rota) -> None:
    gateway.answer("POST", f"/jobs/{JOB}/toggle", _job())
    gateway.answer("POST", f"/jobs/{JOB}/skip-next", _job())
    for command in (
        ("pause", JOB, "--reason", "noisy"),
        ("enable", JOB, "--catch-up", "latest"),
        ("skip-next", JOB),
    ):
        assert rota("jobs", *command).code == 0
    assert [asked[3] for asked in gateway.asked] == [
        {"is_enabled": False, "reason": "noisy"},
        {"is_enabled": True, "catch_up": "latest"},
        None,
    ]


def test_a_stretch_of_the_past_is_backfilled(gateway: Gateway, rota: Rota) -> None:
    gateway.answer("POST", f"/jobs/{JOB}/backfill", {"run_ids": [RUN, RUN], "left_out": 3}, status=202)
    arguments = ("--from", "2026-07-01T00:00", "--until", "2026-07-02T00:00Z", "--overlap", "allow")
    said = rota("jobs", "backfill", JOB, *arguments, "--reprocess", "failed")
    assert said.out.startswith("2 runs are asked for")
    assert "3 ran already" in said.out
    assert gateway.asked[-1][3] == {
        "start": "2026-07-01T00:00:00+02:00",
        "end": "2026-07-02T00:00Z",
        "overlap_policy": "allow",
        "reprocess": "failed",
    }


def test_a_run_is_cancelled_with_the_reason(gateway: Gateway, rota: Rota) -> None:
    gateway.answer("POST", f"/runs/{RUN}/cancel", {"run_id": RUN}, status=202)
    assert f"rota runs show {RUN}" in rota("runs", "cancel", RUN, "--reason", "wrong day").out
    assert gateway.asked[-1][3] == {"reason": "wrong day"}
    assert rota("runs", "cancel", "../me").code == 1


def test_the_ledger_of_a_job_is_a_table(gateway: Gateway, rota: Rota) -> None:
    row = {
        "run_id": RUN,
        "scheduled_for": "2026-11-21T12:00:00Z",
        "last_instant": None,
        "instants": 1,
        "trigger": "schedule",
        "state": "running",
        "disposition": None,
        "reason": None,
    }
    closed = {"state": "closed", "disposition": "missed", "reason": "nobody was there"}
    gateway.items(
        f"/jobs/{JOB}/occurrences",
        row,
        {**row, **closed, "instants": 7, "last_instant": "2026-11-21T12:06:00Z"},
    )
    said = rota("jobs", "occurrences", JOB, "--disposition", "missed", "--from", "2026-11-21T00:00")
    assert "running" in said.out
    assert "2026-11-21 13:00:00 … 2026-11-21 13:06:00 (7)" in said.out
    assert "nobody was there" in said.out
    query = {"disposition": "missed", "from": "2026-11-21T00:00:00+01:00", "limit": "20"}
    assert gateway.asked[-1][2] == query


def test_calendars_are_made_of_days_or_of_a_file(gateway: Gateway, rota: Rota, tmp_path: Path) -> None:
    calendar = {"id": CALENDAR, "name": "Holidays", "dates": ["2027-12-24"], "job_count": 2}
    path = f"/contexts/{CONTEXT}/calendars"
    gateway.answer("POST", path, calendar, status=201)
    gateway.items(path, calendar)
    gateway.answer("DELETE", f"/calendars/{CALENDAR}", None, status=204)
    rota("calendars", "create", "Holidays", "--context", CONTEXT, "--date", "2027-12-24")
    file = tmp_path / "holidays.ics"
    file.write_text("BEGIN:VCALENDAR")
    rota("calendars", "create", "Holidays", "--context", CONTEXT, "--ics", str(file))
    assert [asked[3] for asked in gateway.asked] == [
        {"name": "Holidays", "dates": ["2027-12-24"]},
        {"name": "Holidays", "ics": "BEGIN:VCALENDAR"},
    ]
    assert "2027-12-24" in rota("calendars", "list", "--context", CONTEXT).out
    assert rota("calendars", "delete", "Holidays", "--context", CONTEXT, "--yes").code == 0
    assert rota("calendars", "delete", "Holidays", "--yes").code == 1
    assert rota("calendars", "create", "Holidays", "--context", CONTEXT).code == 2
    missing = os.fspath(tmp_path / "none.ics")
    assert rota("calendars", "create", "Holidays", "--context", CONTEXT, "--ics", missing).code == 1
