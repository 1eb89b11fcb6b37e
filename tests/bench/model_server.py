"""A model over real HTTP that takes its time: `wait-20` answers after 20 seconds.

Run as `python -m tests.bench.model_server PORT`.
"""

import asyncio
import json
import sys

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

ANSWER = {
    "id": "1",
    "object": "chat.completion",
    "created": 1,
    "model": "wait",
    "choices": [
        {
            "index": 0,
            "finish_reason": "stop",
            "message": {"role": "assistant", "content": "All is well."},
        }
    ],
    "usage": {"prompt_tokens": 11, "completion_tokens": 5, "total_tokens": 16},
}


def _chunk(choices: list[dict[str, object]], **more: object) -> str:
    chunk = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "wait", "choices": choices}
    return f"data: {json.dumps({**chunk, **more})}\n\n"


# The same as it is said to who wants to hear it piece by piece.
STREAM = "".join(
    [
        *(
            _chunk([{"index": 0, "delta": {"role": "assistant", "content": word}, "finish_reason": None}])
            for word in ("All", " is", " well.")
        ),
        _chunk([{"index": 0, "delta": {}, "finish_reason": "stop"}]),
        _chunk([], usage=ANSWER["usage"]),
        "data: [DONE]\n\n",
    ]
)


class Waiting:
    """How many requests wait now."""

    def __init__(self) -> None:
        self.now = 0

    async def complete(self, request: Request) -> Response:
        asked = await request.json()
        seconds = float(asked["model"].removeprefix("wait-"))
        self.now += 1
        try:
            await asyncio.sleep(seconds)
        finally:
            self.now -= 1
        if asked.get("stream"):
            return Response(STREAM, media_type="text/event-stream")
        return JSONResponse(ANSWER)

    async def waiting(self, _: Request) -> Response:
        return JSONResponse(self.now)


if __name__ == "__main__":
    state = Waiting()
    app = Starlette(
        routes=[
            Route("/v1/chat/completions", state.complete, methods=["POST"]),
            Route("/waiting", state.waiting),
        ]
    )
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="error", backlog=2048)
