"""A provider of models that speaks real HTTP and says what a test wants it to."""

import contextlib
import json
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Reply:
    """How one request is answered: `breaks` off in the middle of the body, or says it in pieces, `slow`.

    `ends_early`: a stream of messages that ends after its text without the event that says so.
    """

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    breaks: bool = False
    slow: float = 0
    ends_early: bool = False


class Provider:
    """Answers chat completions and messages with `status` and either `text` or an error of `message`.

    The first requests are answered by `replies`, one each.
    """

    def __init__(self) -> None:
        self.status = 200
        self.text = "Hello from afar."
        self.message = ""
        self.replies: list[Reply] = []
        self.requests: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self.url = ""
        self.hangs = False
        self.released = threading.Event()

    def reply(self) -> Reply:
        # The client's own retries would only take time.
        return self.replies.pop(0) if self.replies else Reply(self.status, {"x-should-retry": "false"})

    def answer(self, path: str, status: int) -> dict[str, Any]:
        if status != 200:
            kind = "overloaded_error" if status == 529 else "error"
            error = {"message": self.message, "type": kind, "code": None}
            return {"type": "error", "error": error}
        if path.endswith("/messages"):
            return {
                "id": "msg_1",
                "type": "message",
                "role": "assistant",
                "model": "afar",
                "content": [{"type": "text", "text": self.text}],
                "stop_reason": "end_turn",
                "stop_sequence": None,
                "usage": {"input_tokens": 11, "output_tokens": 5},
            }
        return {
            "id": "1",
            "object": "chat.completion",
            "created": 1,
            "model": "afar",
            "choices": [
                {
                    "index": 0,
                    "finish_reason": "stop",
                    "message": {"role": "assistant", "content": self.text},
                }
            ],
            "usage": {"prompt_tokens": 11, "completion_tokens": 5, "total_tokens": 16},
        }


def as_stream(answer: dict[str, Any]) -> bytes:
    """The same as a provider says it piece by piece."""
    if answer.get("type") == "message":
        (text,) = answer["content"]
        events: list[dict[str, Any]] = [
            {"type": "message_start", "message": {**answer, "content": [], "stop_reason": None}},
            {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
            {
                "type": "content_block_delta",
                "index": 0,
                "delta": {"type": "text_delta", "text": text["text"]},
            },
            {"type": "content_block_stop", "index": 0},
            {
                "type": "message_delta",
                "delta": {"stop_reason": "end_turn", "stop_sequence": None},
                "usage": answer["usage"],
            },
            {"type": "message_stop"},
        ]
        lines = [f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events]
    else:
        (choice,) = answer["choices"]
        chunk = {**answer, "object": "chat.completion.chunk"}
        said = [{"index": 0, "delta": choice["message"], "finish_reason": None}]
        done = [{"index": 0, "delta": {}, "finish_reason": "stop"}]
        chunks = [{**chunk, "choices": said, "usage": None}, {**chunk, "choices": done}]
        lines = [*(f"data: {json.dumps(one)}\n\n" for one in chunks), "data: [DONE]\n\n"]
    return "".join(lines).encode()


@contextlib.contextmanager
def provider() -> Iterator[Provider]:
    """A provider on a port of its own while the block runs."""
    state = Provider()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            asked = json.loads(self.rfile.read(length))
            state.requests.append(asked)
            state.keys.append(self.headers["Authorization"] or self.headers["x-api-key"])
            if state.hangs:
                state.released.wait(30)
            reply = state.reply()
            answer = state.answer(self.path, reply.status)
            streams = asked.get("stream", False) and reply.status == 200
            body = as_stream(answer) if streams else json.dumps(answer).encode()
            if streams and reply.ends_early:
                body = b"\n\n".join([*body.split(b"\n\n")[:3], b""])
            kind = "text/event-stream" if streams else "application/json"
            self.send_response(reply.status)
            for name, value in {"Content-Type": kind, **reply.headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if reply.breaks:
                self.wfile.write(body[:20])
                self.close_connection = True
                return
            with contextlib.suppress(ConnectionError):  # the executor did not wait
                for piece in [body[:20], body[20:]]:
                    self.wfile.write(piece)
                    state.released.wait(reply.slow)

        def log_message(self, *_: object) -> None:
            """Silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{server.server_port}/v1"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield state
    finally:
        state.released.set()
        server.shutdown()
        thread.join()
        server.server_close()
