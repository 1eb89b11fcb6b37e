"""The client against a real HTTP server that speaks as the gateway does."""

import json
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from rota_cli.__main__ import main

CONTEXT = "11111111-1111-4111-8111-111111111111"
JOB = "22222222-2222-4222-8222-222222222222"
RUN = "33333333-3333-4333-8333-333333333333"


@dataclass
class Gateway:
    """Answers as it was told to, and remembers what it was asked."""

    url: str = ""
    answers: dict[tuple[str, str], list[tuple[int, Any]]] = field(default_factory=dict)
    asked: list[tuple[str, str, dict[str, str], Any]] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)

    def answer(self, method: str, path: str, body: Any, *, status: int = 200) -> None:
        """The next answer to this; the last one is given again and again."""
        self.answers.setdefault((method, path), []).append((status, body))

    def items(self, path: str, *items: Any) -> None:
        self.answer("GET", path, {"items": list(items), "next_cursor": None})

    def respond(self, method: str, path: str) -> tuple[int, Any]:
        answers = self.answers.get((method, path))
        if not answers:
            return 404, {"type": "about:blank", "title": "Not Found", "status": 404, "detail": f"no {path}"}
        return answers.pop(0) if len(answers) > 1 else answers[0]


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    told = Gateway()

    class Handler(BaseHTTPRequestHandler):
        def handle_any(self) -> None:
            url = urlsplit(self.path)
            path = url.path.removeprefix("/api/v1")
            sent = self.rfile.read(int(self.headers.get("content-length") or 0))
            told.asked.append(
                (self.command, path, dict(parse_qsl(url.query)), json.loads(sent) if sent else None)
            )
            told.keys.append(self.headers.get("authorization"))
            status, body = told.respond(self.command, path)
            content = json.dumps(body).encode() if body is not None else b""
            self.send_response(status)
            kind = "application/json" if status < 400 else "application/problem+json"
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any  # noqa: N815 - the names http.server wants

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        told.url = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield told
        server.shutdown()


@dataclass(frozen=True)
class Said:
    code: int
    out: str
    err: str


Rota = Callable[..., Said]


@pytest.fixture
def rota(
    gateway: Gateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Rota:
    """The `rota` command, run on a data directory that `rota up` has left."""
    (tmp_path / "url").write_text(f"{gateway.url}\n")
    (tmp_path / "api-key").write_text("the-key\n")
    monkeypatch.setenv("COLUMNS", "240")
    monkeypatch.delenv("ROTA_URL", raising=False)
    monkeypatch.delenv("ROTA_API_KEY", raising=False)

    def run(*arguments: str, data_dir: bool = True) -> Said:
        where = ["--data-dir", str(tmp_path)] if data_dir else []
        monkeypatch.setattr(sys, "argv", ["rota", *arguments, *where])
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capsys.readouterr()
        return Said(int(ended.value.code or 0), captured.out, captured.err)

    return run


def _job(**changes: Any) -> dict[str, Any]:
    return {
        "id": JOB,
        "context_id": CONTEXT,
        "context_name": "home",
        "name": "look [around]",
        "cron_expression": "* * * * *",
        "timezone": "Europe/Berlin",
        "agent_name": "watchman",
        "skill_prompt": "Look around.",
        "status": "active",
        "is_enabled": True,
        "next_run_at": "2999-01-01T00:00:00Z",
        "last_run_at": "2026-11-21T12:00:00Z",
        "last_run_status": "success",
        "run_count": 7,
        "error_count": 1,
        **changes,
    }


def _run(**changes: Any) -> dict[str, Any]:
    return {
        "run_id": RUN,
        "job_id": JOB,
        "job_name": "look around",
        "agent_name": "watchman",
        "status": "success",
        "result_content": "All is well.\nReally.",
        "scheduled_for": "2026-11-21T12:00:00Z",
        "started_at": "2026-11-21T12:00:00Z",
        "completed_at": "2026-11-21T12:00:05Z",
        "execution_duration_ms": 5_234,
        "error_message": None,
        **changes,
    }


def test_jobs_are_a_table_with_names_as_they_are(gateway: Gateway, rota: Rota) -> None:
    gateway.items("/jobs", _job())
    said = rota("jobs", "list")
    assert said.code == 0
    assert all(
        text in said.out for text in ("look [around]", "home", "* * * * * Europe/Berlin", "watchman", " d")
    )
    assert gateway.keys == ["Bearer the-key"]


def test_json_is_the_answer_of_the_api_with_every_page(gateway: Gateway, rota: Rota) -> None:
    gateway.answer("GET", "/jobs", {"items": [_job(name="one")], "next_cursor": "more"})
    gateway.answer("GET", "/jobs", {"items": [_job(name="two")], "next_cursor": None})
    said = rota("jobs", "list", "--json")
    assert json.loads(said.out) == {"items": [_job(name="one"), _job(name="two")], "next_cursor": None}
    assert gateway.asked[1][2]["cursor"] == "more"


def test_a_job_is_created_with_what_was_given_and_nothing_else(gateway: Gateway, rota: Rota) -> None:
    gateway.items("/contexts", {"id": CONTEXT, "name": "home"})
    gateway.answer("POST", f"/contexts/{CONTEXT}/jobs", _job(), status=201)
    said = rota(
        *("jobs", "create", "--context", "home", "--name", "look", "--cron", "0 7 * * *"),
        *("--prompt", "Look.", "--timeout-seconds", "60", "--disabled"),
    )
    assert said.code == 0
    assert gateway.asked[-1][3] == {
        "name": "look",
        "cron_expression": "0 7 * * *",
        "skill_prompt": "Look.",
        "timeout_seconds": 60,
        "is_enabled": False,
    }


def test_a_name_that_fits_several_jobs_lists_them(gateway: Gateway, rota: Rota) -> None:
    other = CONTEXT.replace("1", "9")
    gateway.items("/jobs", _job(name="look"), _job(id=other, name="look", context_name="work"))
    said = rota("jobs", "show", "look")
    assert said.code == 1
    assert all(
        text in said.err for text in ("2 jobs are called 'look'", JOB, other, "'home'", "'work'", "the id")
    )


def test_an_unknown_name_says_where_to_look(gateway: Gateway, rota: Rota) -> None:
    gateway.items("/contexts")
    said = rota("contexts", "get", "nowhere")
    assert (said.code, said.out) == (1, "")
    assert "there is no context 'nowhere'" in said.err
    assert "rota contexts list" in said.err


def test_refused_input_names_every_field(gateway: Gateway, rota: Rota) -> None:
    problem = {
        "type": "about:blank",
        "title": "Unprocessable Content",
        "status": 422,
        "detail": "the job cannot be stored",
        "errors": [
            {"field": "cron_expression", "message": "minute 61 is out of range"},
            {"field": "timezone", "message": "'Mars' is no zone"},
        ],
    }
    gateway.answer("PATCH", f"/jobs/{JOB}", problem, status=422)
    said = rota("jobs", "update", JOB, "--cron", "61 * * * *", "--timezone", "Mars")
    assert said.code == 1
    assert "the job cannot be stored" in said.err
    assert "cron_expression: minute 61 is out of range" in said.err
    assert "timezone: 'Mars' is no zone" in said.err


def test_a_refused_key_says_how_to_give_another(gateway: Gateway, rota: Rota) -> None:
    gateway.answer(
        "GET", "/runs", {"title": "Unauthorized", "status": 401, "detail": "unknown key"}, status=401
    )
    said = rota("runs", "list")
    assert said.code == 1
    assert "unknown key" in said.err
    assert "ROTA_API_KEY" in said.err


def test_an_update_without_changes_is_a_usage_error(rota: Rota) -> None:
    assert rota("jobs", "update", JOB).code == 2


def test_a_wrong_option_is_a_usage_error(rota: Rota) -> None:
    assert rota("jobs", "list", "--nonsense").code == 2


def test_a_gateway_that_is_not_there_is_named_with_the_remedy(rota: Rota, tmp_path: Path) -> None:
    (tmp_path / "url").write_text("http://127.0.0.1:1\n")
    said = rota("jobs", "list")
    assert said.code == 1
    assert "no gateway answers at http://127.0.0.1:1" in said.err
    assert "rota up" in said.err


def test_a_job_that_is_run_now_can_be_waited_for(gateway: Gateway, rota: Rota) -> None:
    gateway.answer("POST", f"/jobs/{JOB}/run", {"run_id": RUN}, status=202)
    gateway.answer("GET", f"/runs/{RUN}", {"status": 404, "title": "Not Found"}, status=404)
    gateway.answer("GET", f"/runs/{RUN}", _run(status="running", completed_at=None, result_content=None))
    gateway.answer("GET", f"/runs/{RUN}", _run())
    said = rota("jobs", "run", JOB, "--prompt-context", "only the disk", "--wait")
    assert said.code == 0
    assert "All is well.\nReally." in said.out
    assert gateway.asked[0][3] == {"prompt_context": "only the disk"}


def test_waiting_ends_and_says_that_the_run_goes_on(gateway: Gateway, rota: Rota) -> None:
    gateway.answer("POST", f"/jobs/{JOB}/run", {"run_id": RUN}, status=202)
    said = rota("jobs", "run", JOB, "--wait", "--wait-seconds", "0")
    assert said.code == 1
    assert f"rota runs show {RUN}" in said.err


def test_waiting_for_a_run_that_was_skipped_ends_at_once_with_the_reason(
    gateway: Gateway, rota: Rota
) -> None:
    gateway.answer("POST", f"/jobs/{JOB}/run", {"run_id": RUN}, status=202)
    queued = {"run_id": RUN, "status": None, "state": "queued", "disposition": None, "completed_at": None}
    gateway.answer("GET", f"/runs/{RUN}", queued)
    closed = {"state": "closed", "disposition": "skipped", "reason": "the previous run is still open"}
    gateway.answer("GET", f"/runs/{RUN}", {**queued, **closed})
    said = rota("jobs", "run", JOB, "--wait")
    assert said.code == 1
    assert f"run {RUN} was skipped: the previous run is still open" in said.err


def test_disabling_carries_the_reason(gateway: Gateway, rota: Rota) -> None:
    gateway.answer("POST", f"/jobs/{JOB}/toggle", _job(is_enabled=False, status="paused"))
    rota("jobs", "disable", JOB, "--reason", "noisy")
    gateway.answer("POST", f"/jobs/{JOB}/toggle", _job())
    rota("jobs", "enable", JOB)
    assert [asked[3] for asked in gateway.asked] == [
        {"is_enabled": False, "reason": "noisy"},
        {"is_enabled": True},
    ]


def test_what_a_job_knows_of_earlier_runs_is_set_and_reset(gateway: Gateway, rota: Rota) -> None:
    gateway.answer("PATCH", f"/jobs/{JOB}", _job())
    rota("jobs", "update", JOB, "--continuity", "last_n_outcomes", "--continuity-outcomes", "3")
    gateway.answer("POST", f"/jobs/{JOB}/continuity/reset", None, status=204)
    said = rota("jobs", "reset-continuity", JOB)
    assert said.code == 0
    assert [one[:2] for one in gateway.asked][-1] == ("POST", f"/jobs/{JOB}/continuity/reset")
    assert gateway.asked[0][3] == {"continuity": "last_n_outcomes", "continuity_outcomes": 3}


def test_a_transcript_tells_what_each_call_took(gateway: Gateway, rota: Rota) -> None:
    gateway.answer("GET", f"/runs/{RUN}", {**_run(), "session_id": JOB})
    messages = [
        {"role": "user", "content": "Look."},
        {
            "role": "assistant",
            "content": "clock({})",
            "model": "afar",
            "duration_ms": 1200,
            "input_tokens": 90,
            "output_tokens": 4,
        },
        {"role": "tool", "content": "clock: no", "tool_name": "clock", "duration_ms": 20, "status": "failed"},
    ]
    gateway.answer("GET", f"/conversations/{JOB}", {"messages": messages})
    said = rota("runs", "show", RUN, "--transcript")
    assert said.out.splitlines() == [
        *("user", "Look.", ""),
        *("assistant (afar, 1.2 s, 90 tokens in, 4 out)", "clock({})", ""),
        *("tool clock (20 ms, failed)", "clock: no", ""),
    ]


def test_a_run_without_a_transcript_says_what_to_do(gateway: Gateway, rota: Rota) -> None:
    gateway.answer("GET", f"/runs/{RUN}", {**_run(), "session_id": None})
    said = rota("runs", "show", RUN, "--transcript")
    assert said.code == 1
    assert f"rota runs follow {RUN}" in said.err


def test_runs_are_filtered_by_the_gateway(gateway: Gateway, rota: Rota) -> None:
    gateway.items("/contexts", {"id": CONTEXT, "name": "home"})
    gateway.items(f"/contexts/{CONTEXT}/jobs", _job(name="look"))
    gateway.items("/runs", _run())
    said = rota("runs", "list", "--context", "home", "--job", "look", "--status", "success", "--limit", "5")
    assert "All is well.…" in said.out
    assert "5.2 s" in said.out
    assert gateway.asked[-1][2] == {
        "context_id": CONTEXT,
        "job_id": JOB,
        "status": "success",
        "limit": "5",
    }


def test_a_run_is_shown_with_its_words(gateway: Gateway, rota: Rota) -> None:
    gateway.answer("GET", f"/runs/{RUN}", _run(status="error", error_message="the model did not answer"))
    said = rota("runs", "show", RUN)
    assert "the model did not answer" in said.out


def test_what_is_no_id_of_a_run_is_not_asked_for(gateway: Gateway, rota: Rota) -> None:
    said = rota("runs", "show", "../me")
    assert (said.code, gateway.asked) == (1, [])
    assert "'../me' is no id of a run" in said.err


@pytest.mark.parametrize("key", ["ключ", "two\nlines"])
def test_a_key_that_cannot_be_sent_is_told_as_such(
    rota: Rota, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    monkeypatch.setenv("ROTA_API_KEY", key)
    said = rota("jobs", "list")
    assert said.code == 1
    assert "the API key" in said.err
    assert key not in said.err


def test_deleting_asks_first(gateway: Gateway, rota: Rota, monkeypatch: pytest.MonkeyPatch) -> None:
    gateway.items("/contexts", {"id": CONTEXT, "name": "home"})
    gateway.answer("DELETE", f"/contexts/{CONTEXT}", None, status=204)
    monkeypatch.setattr("typer.confirm", lambda *_, **__: sys.exit(1))
    assert rota("contexts", "delete", "home").code == 1
    assert [asked[0] for asked in gateway.asked] == ["GET"]

    assert rota("contexts", "delete", "home", "--yes").code == 0
    assert gateway.asked[-1][:2] == ("DELETE", f"/contexts/{CONTEXT}")


def test_a_context_is_created_and_changed(gateway: Gateway, rota: Rota) -> None:
    stored = {"id": CONTEXT, "name": "home", "max_concurrent_runs": 5, "min_period_seconds": 60}
    gateway.answer("POST", "/contexts", stored, status=201)
    gateway.answer("PATCH", f"/contexts/{CONTEXT}", stored)
    assert "home" in rota("contexts", "create", "home", "--max-concurrent-runs", "5").out
    rota("contexts", "update", CONTEXT, "--min-period-seconds", "60")
    assert [asked[3] for asked in gateway.asked] == [
        {"name": "home", "max_concurrent_runs": 5},
        {"min_period_seconds": 60},
    ]


def test_something_else_that_answers_is_not_taken_for_a_gateway(gateway: Gateway, rota: Rota) -> None:
    gateway.answer("GET", "/jobs", "not a list")
    gateway.answer("GET", "/contexts", None)
    for what in ("jobs", "contexts"):
        said = rota(what, "list")
        assert said.code == 1
        assert "does not answer as a gateway does" in said.err
