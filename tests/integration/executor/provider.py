"""A provider of models that speaks real HTTP and says what a test wants it to."""

import contextlib
import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

# Events up to the end of the text, and those that say that this is all.
Said = tuple[Sequence[dict[str, Any]], Sequence[dict[str, Any] | str]]


@dataclass(frozen=True)
class Reply:
    """How one request is answered: `breaks` off in the middle of the body, or says it in pieces, `slow`.

    `ends_early`: after its text, without what says that this is all.
    """

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    breaks: bool = False
    slow: float = 0
    ends_early: bool = False


class Provider:
    """Answers chats, responses and messages with `status` and either `text` or an error of `message`.

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
        if path.endswith("/responses"):
            text = {"type": "output_text", "text": self.text, "annotations": []}
            return {
                "id": "resp_1",
                "object": "response",
                "created_at": 1,
                "status": "completed",
                "model": "afar",
                "output": [
                    {
                        "type": "message",
                        "id": "msg_1",
                        "role": "assistant",
                        "status": "completed",
                        "content": [text],
                    }
                ],
                "parallel_tool_calls": True,
                "tool_choice": "auto",
                "tools": [],
                "usage": {
                    "input_tokens": 11,
                    "input_tokens_details": {"cached_tokens": 0},
                    "output_tokens": 5,
                    "output_tokens_details": {"reasoning_tokens": 0},
                    "total_tokens": 16,
                },
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


def as_body(answer: dict[str, Any], *, ends_early: bool) -> bytes:
    """The answer at once."""
    if ends_early and "choices" in answer:
        answer = {**answer, "choices": [{**one, "finish_reason": None} for one in answer["choices"]]}
    return json.dumps(answer).encode()


def as_stream(answer: dict[str, Any], *, ends_early: bool) -> bytes:
    """The same as a provider says it piece by piece."""
    said, end = STREAMS[answer.get("type") or answer["object"]](answer)
    return "".join(_line(one) for one in (said if ends_early else [*said, *end])).encode()


def _line(event: dict[str, Any] | str) -> str:
    if isinstance(event, str):
        return f"data: {event}\n\n"
    name = f"event: {event['type']}\n" if "type" in event else ""
    return f"{name}data: {json.dumps(event)}\n\n"


def _message(answer: dict[str, Any]) -> Said:
    (text,) = answer["content"]
    delta = {"type": "text_delta", "text": text["text"]}
    return [
        {"type": "message_start", "message": {**answer, "content": [], "stop_reason": None}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": delta},
    ], [
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn", "stop_sequence": None},
            "usage": answer["usage"],
        },
        {"type": "message_stop"},
    ]


def _chat(answer: dict[str, Any]) -> Said:
    (choice,) = answer["choices"]
    chunk = {**answer, "object": "chat.completion.chunk"}
    said = [{"index": 0, "delta": choice["message"], "finish_reason": None}]
    done = [{"index": 0, "delta": {}, "finish_reason": "stop"}]
    return [{**chunk, "choices": said, "usage": None}], [{**chunk, "choices": done}, "[DONE]"]


def _response(answer: dict[str, Any]) -> Said:
    (item,) = answer["output"]
    begun = {**answer, "status": "in_progress", "output": [], "usage": None}
    place = {"item_id": item["id"], "output_index": 0, "content_index": 0}
    delta = {
        **place,
        "type": "response.output_text.delta",
        "delta": item["content"][0]["text"],
        "logprobs": [],
    }
    added = {"type": "response.output_item.added", "output_index": 0, "item": {**item, "content": []}}
    created = {"type": "response.created", "response": begun}
    done = {"type": "response.completed", "response": answer}
    events: list[dict[str, Any]] = [created, added, delta, done]
    numbered = [{**event, "sequence_number": number} for number, event in enumerate(events)]
    return numbered[:-1], numbered[-1:]


STREAMS = {"message": _message, "chat.completion": _chat, "response": _response}


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
            body = (as_stream if streams else as_body)(answer, ends_early=reply.ends_early)
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
