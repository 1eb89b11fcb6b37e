"""A model over real HTTP that takes its time: `wait-20` answers after 20 seconds.

Run as `python -m tests.bench.model_server PORT`.
"""

import asyncio
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


class Waiting:
    """How many requests wait now."""

    def __init__(self) -> None:
        self.now = 0

    async def complete(self, request: Request) -> Response:
        seconds = float((await request.json())["model"].removeprefix("wait-"))
        self.now += 1
        try:
            await asyncio.sleep(seconds)
        finally:
            self.now -= 1
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
