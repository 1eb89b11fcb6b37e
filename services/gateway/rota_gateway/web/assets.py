"""Files for the browser; their addresses change with their content, so they are cached for good."""

import hashlib
from functools import cache
from pathlib import Path

from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

DIRECTORY = Path(__file__).parent / "static"


@cache
def address(name: str) -> str:
    """The URL of a file below static/."""
    content = hashlib.sha256((DIRECTORY / name).read_bytes()).hexdigest()
    return f"/static/{name}?v={content[:8]}"


class Assets(StaticFiles):
    def __init__(self) -> None:
        super().__init__(directory=DIRECTORY)

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        if response.status_code == 200:
            response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return response
