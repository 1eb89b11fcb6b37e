"""Every service answers /livez, /readyz and /metrics on a port of its own."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping

import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

Check = Callable[[], Awaitable[None]]


def health_routes(checks: Mapping[str, Check]) -> list[Route]:
    """The three routes; /readyz is 503 and names what is missing while a check raises."""

    async def livez(_: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def readyz(_: Request) -> Response:
        problems = await failing(checks)
        return JSONResponse(
            {"ready": not problems, "problems": problems}, status_code=503 if problems else 200
        )

    async def metrics(_: Request) -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    return [Route("/livez", livez), Route("/readyz", readyz), Route("/metrics", metrics)]


async def failing(checks: Mapping[str, Check]) -> dict[str, str]:
    """The checks that fail now, each with its reason."""
    problems = {}
    # A copy: a service adds and takes away checks while it starts.
    for name, check in list(checks.items()):
        try:
            await check()
        except Exception as error:  # noqa: BLE001  whatever a check raises is its answer
            problems[name] = str(error) or type(error).__name__
    return problems


class Server(uvicorn.Server):
    """uvicorn inside the event loop of a service, which owns the signals."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@contextlib.asynccontextmanager
async def serving(app: object, host: str, port: int) -> AsyncIterator[int]:
    """Serves an ASGI application while the block runs; yields the port that was bound.

    Raises:
        OSError: the address is taken.

    """
    config = uvicorn.Config(
        app,  # type: ignore[arg-type]  # an ASGI application is a protocol; starlette's type is too wide
        host=host,
        port=port,
        log_config=None,
        access_log=False,
        lifespan="off",
        timeout_graceful_shutdown=3,
    )
    config.load()
    listener = socket_on(host, port)
    server = Server(config)
    task = asyncio.create_task(server.serve(sockets=[listener]), name="http")
    try:
        while not server.started and not task.done():  # noqa: ASYNC110  uvicorn offers no event
            await asyncio.sleep(0.005)
        if task.done():
            await task
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        await task
        listener.close()


def socket_on(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise OSError(error.errno, f"cannot listen on {host}:{port}: {error.strerror}") from error
    listener.set_inheritable(True)
    return listener


def health_app(checks: Mapping[str, Check]) -> Starlette:
    return Starlette(routes=health_routes(checks))
