"""`rota runs follow`: what is printed, what breaks in between, and how it ends."""

import functools
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from rota_cli.client import following
from tests.integration.cli.test_client import Rota, Said

RUN = str(uuid4())
Follow = Callable[..., Said]
Event = tuple[str, str, dict[str, Any]]
SYSTEM = {"role": "system", "content": "Be brief."}
ANSWER = {"role": "assistant", "content": "Hello you.", "model": "afar", "duration_ms": 1500}
END = {
    "status": "success",
    "disposition": "ran",
    "reason": None,
    "error_message": None,
    "outcome_status": "nothing",
}
ATTEMPT: Event = ("1.0.0", "attempt", {"attempt": 1})


class Streams:
    """What each connection is sent, one after the other; a number is a refusal with that status."""

    def __init__(self, *sent: list[Event] | int) -> None:
        self.sent = list(sent)
        self.asked: list[str | None] = []
        self.url = ""


@pytest.fixture
def streams() -> Iterator[Streams]:
    state = Streams()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.asked.append(self.headers["Last-Event-ID"])
            sent = state.sent.pop(0)
            refused = isinstance(sent, int)
            self.send_response(sent if isinstance(sent, int) else 200)
            self.send_header("content-type", "application/problem+json" if refused else "text/event-stream")
            self.end_headers()
            if isinstance(sent, int):
                self.wfile.write(json.dumps({"detail": "not now"}).encode())
                return
            self.wfile.write(b"retry: 2000\n: following\n\n: still here\n\n")
            for number, name, data in sent:
                self.wfile.write(f"id: {number}\nevent: {name}\ndata: {json.dumps(data)}\n\n".encode())

        def log_message(self, *_: object) -> None:
            """Silent."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        state.url = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield state
        server.shutdown()


@pytest.fixture
def follow(rota: Rota, streams: Streams, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Follow:
    """The command, with no pause where it has to ask again."""
    monkeypatch.setattr(following, "PAUSE_SECONDS", 0.01)
    (tmp_path / "url").write_text(f"{streams.url}\n")
    return functools.partial(rota, "runs", "follow", RUN)


def test_a_run_is_printed_as_it_goes_and_goes_on_after_a_break(follow: Follow, streams: Streams) -> None:
    streams.sent = [
        [ATTEMPT, ("1.1.0", "message", SYSTEM), ("1.1.5", "text", {"text": "Hello"})],
        503,
        [("1.1.9", "text", {"text": " you"}), ("1.2.0", "message", ANSWER), ("1.2.0", "end", END)],
    ]
    said = follow()
    assert said.code == 0
    assert said.out.splitlines() == [
        "--- attempt 1 ---",
        *("system:", "Be brief."),
        *("assistant:", "Hello you."),
        "(assistant (afar, 1.5 s))",
        "--- success: nothing ---",
    ]
    assert streams.asked == [None, "1.1.5", "1.1.5"]


@pytest.mark.parametrize(
    ("changes", "last"),
    [
        ({"status": "error", "error_message": "It took too long."}, "--- error: It took too long. ---"),
        ({"status": None, "disposition": "skipped", "reason": "still open"}, "--- skipped: still open ---"),
    ],
)
def test_the_command_fails_where_the_run_did(
    follow: Follow, streams: Streams, changes: dict[str, Any], last: str
) -> None:
    streams.sent = [[("0.0.0", "end", {**END, **changes})]]
    said = follow()
    assert (said.code, said.out.splitlines()[-1]) == (1, last)


def test_a_run_that_waits_names_the_calls_that_a_person_is_to_decide_on(
    follow: Follow, streams: Streams
) -> None:
    calls = [{"id": "the-id", "tool_name": "post", "arguments": {}}]
    streams.sent = [
        [
            ("1.1.3", "text", {"text": "Let"}),
            ("1.1.3", "waiting", {"calls": calls}),
            ("1.1.3", "end", END),
        ]
    ]
    said = follow()
    assert "assistant:\nLet\n--- waits for a person: post (the-id); see 'rota approvals' ---" in said.out


def test_each_event_is_a_line_of_json_for_programs(follow: Follow, streams: Streams) -> None:
    streams.sent = [[ATTEMPT, ("1.0.0", "end", END)]]
    said = follow("--json")
    assert [json.loads(line) for line in said.out.splitlines()] == [
        {"event": "attempt", "attempt": 1},
        {"event": "end", **END},
    ]


def test_a_run_that_nobody_knows_is_an_error_at_once(follow: Follow, streams: Streams) -> None:
    streams.sent = [404]
    said = follow()
    assert (said.code, len(streams.asked)) == (1, 1)
    assert "not now" in said.err
