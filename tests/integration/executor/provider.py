"""A provider of models that speaks real HTTP and says what a test wants it to."""

import contextlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Provider:
    """Answers every chat completion with `status` and either `text` or an error of `message`."""

    def __init__(self) -> None:
        self.status = 200
        self.text = "Hello from afar."
        self.message = ""
        self.requests: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self.url = ""
        self.hangs = False
        self.released = threading.Event()

    def answer(self) -> dict[str, Any]:
        if self.status != 200:
            return {"error": {"message": self.message, "type": "error", "code": None}}
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


@contextlib.contextmanager
def provider() -> Iterator[Provider]:
    """A provider on a port of its own while the block runs."""
    state = Provider()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            state.requests.append(json.loads(self.rfile.read(length)))
            state.keys.append(self.headers["Authorization"])
            if state.hangs:
                state.released.wait(30)
            body = json.dumps(state.answer()).encode()
            self.send_response(state.status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.send_header("x-should-retry", "false")  # the client's own retries would only take time
            self.end_headers()
            with contextlib.suppress(ConnectionError):  # the executor did not wait
                self.wfile.write(body)

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
