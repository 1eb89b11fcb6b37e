"""A model behind real HTTP that says an answer as slowly as a test wants: the chat interface, streamed."""

import contextlib
import json
import queue
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

END = None


class Speaker:
    """What the test says, the model says: pieces of text or calls of tools, then `end` of the answer."""

    def __init__(self) -> None:
        self.url = ""
        self.requests: list[dict[str, Any]] = []
        self._pieces: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self.is_over = False

    def say(self, text: str) -> None:
        self._pieces.put({"content": text})

    def call(self, tool: str, arguments: Mapping[str, Any]) -> None:
        function = {"name": tool, "arguments": json.dumps(arguments)}
        call = {"index": 0, "id": f"call-{len(self.requests)}", "type": "function", "function": function}
        self._pieces.put({"tool_calls": [call]})

    def end(self) -> None:
        self._pieces.put(END)

    def deltas(self) -> Iterator[dict[str, Any] | None]:
        """Pieces as they come; None while there is none."""
        while not self.is_over:
            try:
                piece = self._pieces.get(timeout=0.05)
            except queue.Empty:
                yield None
                continue
            if piece is END:
                return
            yield piece


@contextlib.contextmanager
def speaker() -> Iterator[Speaker]:
    state = Speaker()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            state.requests.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.end_headers()
            finish = "stop"
            with contextlib.suppress(ConnectionError):  # whoever asked may be dead
                for delta in state.deltas():
                    if delta is None:
                        self._write(": still thinking\n\n")
                        continue
                    finish = "tool_calls" if "tool_calls" in delta else finish
                    self._chunk(
                        [{"index": 0, "delta": {"role": "assistant", **delta}, "finish_reason": None}]
                    )
                self._chunk([{"index": 0, "delta": {}, "finish_reason": finish}])
                self._chunk([], usage={"prompt_tokens": 11, "completion_tokens": 5, "total_tokens": 16})
                self._write("data: [DONE]\n\n")

        def _chunk(self, choices: list[dict[str, Any]], **more: Any) -> None:
            chunk = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "talk"}
            self._write(f"data: {json.dumps({**chunk, 'choices': choices, **more})}\n\n")

        def _write(self, text: str) -> None:
            self.wfile.write(text.encode())
            self.wfile.flush()

        def log_message(self, *_: object) -> None:
            """Silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    state.url = f"http://127.0.0.1:{server.server_port}/v1"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield state
    finally:
        state.is_over = True
        server.shutdown()
        thread.join()
        server.server_close()
