"""Server-sent events of one run: what it says and does, from its start, until it has ended."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

import msgspec
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import StreamingResponse

from rota_chassis import logs
from rota_contracts.codec import MalformedEventError, decode_payload
from rota_contracts.events import RunFollowed, RunProgress
from rota_gateway.domain.following import Follower, Told, end_of, waiting_for
from rota_gateway.edge.caller import authenticate
from rota_gateway.edge.gateway import Gateway, gateway_of
from rota_gateway.errors import NotFoundError, RequestError
from rota_gateway.live import Hint, Listener
from rota_gateway.repository import following, runs
from rota_gateway.repository.connection import Row

log = logs.logger(__name__)
router = APIRouter(tags=["runs"])

# How long a revoked key still hears, and a run that is followed may be silent until the rows are looked at.
LOOK_SECONDS = 5.0
# How often an executor is asked at the most to repeat what is missing.
REPEAT_SECONDS = 1.0
MAX_WAITING = 1_000


@router.get("/runs/{run_id}/events", response_class=StreamingResponse)
async def follow_run(run_id: UUID, request: Request) -> StreamingResponse:
    """Events `attempt`, `text`, `message`, `waiting`, and `end` with what the run came to.

    `message` is an entry of the transcript, as in its conversation; `text` is a piece of an answer while it
    is said. All is told from the start, or after the `Last-Event-ID`, also of a run that ended long ago.
    """
    watch = Watch(gateway_of(request), request, run_id)
    await watch.look()
    return StreamingResponse(_stream(watch), media_type="text/event-stream")


class Watch:
    """What one reader follows, looked up again from time to time: as what it may see."""

    def __init__(self, gateway: Gateway, request: Request, run_id: UUID) -> None:
        self.gateway = gateway
        self._request = request
        self._run_id = run_id
        self._follower = Follower.after(request.headers.get("last-event-id"))
        self._heard: deque[bytes] = deque(maxlen=MAX_WAITING)
        self._is_missing = True
        self._repeated = float("-inf")
        self._waited: object = None
        self.run: Row = {}
        self._attempts: list[Row] = []

    async def look(self) -> None:
        """Raises RequestError where there is no such run for the reader, or no reader any more."""
        caller = await authenticate(self.gateway, self._request)
        async with self.gateway.transaction(caller.id) as connection:
            run = await runs.get(connection, self._run_id)
            if run is None:
                raise NotFoundError("run")
            found = await following.attempts(connection, self._run_id, self._follower.finished)
            if not found and run["session_id"]:
                found = await following.conversation(connection, run["session_id"])
        self.run, self._attempts = run, found

    def stored(self) -> list[Told]:
        """What the rows tell that was not told yet."""
        told = self._follower.stored(self._attempts)
        calls = waiting_for(self.run)
        if calls and calls != self._waited:
            self._waited = calls
            told.append(Told("waiting", self._follower.id, {"calls": calls}))
        if end := end_of(self.run):
            told.append(Told("end", self._follower.id, end))
        return told

    def take(self) -> tuple[list[Told], bool]:
        """What was heard, and whether the rows have more: another attempt has begun."""
        told: list[Told] = []
        while self._heard:
            try:
                progress = decode_payload(RunProgress.TYPE, self._heard.popleft())
            except MalformedEventError as error:
                log.warning("progress was not understood", action="progress_malformed", error=str(error))
                continue
            assert isinstance(progress, RunProgress)
            if progress.attempt > self._follower.attempt:
                self._is_missing = True
                return told, True
            more, is_missing = self._follower.live(progress)
            told += more
            self._is_missing = is_missing
        return told, False

    async def ask(self) -> None:
        """Asks whoever runs it to repeat what is missing."""
        now = asyncio.get_running_loop().time()
        if self._is_missing and now - self._repeated >= REPEAT_SECONDS and self.run["job_id"]:
            self._repeated, self._is_missing = now, False
            await self.gateway.bus.hint(
                RunFollowed(context_id=self.run["context_id"], job_id=self.run["job_id"], run_id=self._run_id)
            )

    def is_news(self, hint: Hint) -> bool:
        """Whether the rows are to be looked at: of the run, or as what its reader may see."""
        is_of_readers = hint.is_of_members and hint.context_id == self.run["context_id"]
        return is_of_readers or bool(hint.subject_id == self.run["job_id"])

    def was_silent(self) -> None:
        """Nothing was heard for a while: it may have been lost."""
        self._is_missing = True

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[Listener]:
        """Whoever is in it hears of the run, live."""
        async with self.gateway.hub.listening() as listener:

            async def hear(_subject: str, payload: bytes) -> None:
                self._heard.append(payload)
                listener.wake()

            subject = f"run.progress.{self.run['context_id']}.{self._run_id}"
            hearing = await self.gateway.bus.listen(subject, hear)
            try:
                yield listener
            finally:
                await asyncio.shield(hearing.stop())


async def _stream(watch: Watch) -> AsyncIterator[str]:
    yield "retry: 2000\n: following\n\n"
    try:
        async with watch.listening() as listener:
            async for told in _told(watch, listener):
                yield "".join(map(_event, told)) or ": still here\n\n"
    except RequestError as error:
        log.info("a live stream ends", action="stream_ended", reason=error.detail)


async def _told(watch: Watch, listener: Listener) -> AsyncIterator[list[Told]]:
    clock = asyncio.get_running_loop().time
    while not watch.gateway.hub.is_closed:
        await watch.look()
        told = watch.stored()
        yield told
        if told and told[-1].kind == "end":
            return
        until, is_news, heard = clock() + LOOK_SECONDS, False, False
        while not is_news and clock() < until and not watch.gateway.hub.is_closed:
            await watch.ask()
            hints = await listener.take(min(REPEAT_SECONDS, until - clock()))
            live, is_news = watch.take()
            is_news |= any(watch.is_news(hint) for hint in hints)
            heard |= bool(live)
            if live:
                yield live
        if not heard:
            watch.was_silent()


def _event(told: Told) -> str:
    return f"id: {told.id}\nevent: {told.kind}\ndata: {msgspec.json.encode(told.data).decode()}\n\n"
