"""What the runs of this executor say while they go on, for whoever listens now.

It is taken from their transcripts, a message of each run ten times a second at the most, and nothing waits
for it: what is lost is said again when somebody begins to follow, and in the end the transcript is stored.
"""

import asyncio
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

import msgspec

from rota_chassis import logs
from rota_chassis.redaction import Redactor
from rota_contracts.events import Event, RunProgress
from rota_contracts.transcript import ProgressStep
from rota_executor.attempt import Attempt
from rota_executor.domain import told_entry, without
from rota_executor.transcript import Transcript

log = logs.logger(__name__)

PERIOD_SECONDS = 0.1
# A message holds so many bytes, unless one step alone has more: at most six times its characters.
MAX_BYTES = 32_000
# Characters that are told of one entry, and of one piece of text. The whole of it is in the transcript.
MAX_ENTRY = 4_000


class Bus(Protocol):
    @property
    def connection(self) -> int | None: ...

    async def hint(self, event: Event) -> None: ...


@dataclass
class Spoken:
    """How far a run was told: so many whole entries, and so many characters of the next."""

    entries: int
    offset: int = 0


def steps_after(spoken: Spoken, transcript: Transcript, hidden: Redactor) -> list[ProgressStep]:
    """The next that is to be told, as much as a message holds; `spoken` goes on behind it."""
    steps: list[ProgressStep] = []
    size = 0
    while spoken.entries < len(transcript.entries) and size < MAX_BYTES:
        position = spoken.entries + 1
        entry = msgspec.structs.replace(transcript.entries[spoken.entries], position=position)
        steps.append(ProgressStep(position=position, entry=told_entry(entry, hidden, MAX_ENTRY)))
        size += len(msgspec.json.encode(steps[-1]))
        spoken.entries, spoken.offset = position, 0
    text = _settled(transcript.writing, hidden) if spoken.entries == transcript.number else ""
    if size < MAX_BYTES and (piece := text[spoken.offset : spoken.offset + MAX_ENTRY]):
        steps.append(ProgressStep(position=spoken.entries + 1, offset=spoken.offset, text=piece))
        spoken.offset += len(piece)
    return steps


def _settled(text: str, hidden: Redactor) -> str:
    """What of a text that goes on stays as it is: a secret may have begun in the rest."""
    if not hidden or not text:
        return text
    told: str = without(hidden, text)
    return told[: max(0, len(told) - hidden.longest + 1)]


class _Speaker:
    def __init__(self, attempt: Attempt) -> None:
        self._attempt = attempt
        self._spoken: Spoken | None = None
        self._messages = 0

    def again(self) -> None:
        self._spoken = None

    def next(self) -> RunProgress | None:
        event, record = self._attempt.event, self._attempt.record
        # What was said before the run parked was told by another attempt.
        self._spoken = self._spoken or Spoken(record.transcript.resumed)
        steps = steps_after(self._spoken, record.transcript, record.hidden)
        if not steps:
            return None
        self._messages += 1
        return RunProgress(
            context_id=event.context_id,
            job_id=event.job_id,
            run_id=event.run_id,
            attempt=event.attempt,
            number=self._messages,
            steps=steps,
        )


class Progress:
    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._speakers: dict[UUID, _Speaker] = {}
        self._waiting: dict[_Speaker, None] = {}
        self._news = asyncio.Event()

    @contextlib.contextmanager
    def of(self, attempt: Attempt) -> Iterator[None]:
        """Tells of the attempt while the block runs, and the rest of it after."""
        run_id, speaker = attempt.event.run_id, _Speaker(attempt)
        self._speakers[run_id] = speaker
        attempt.record.transcript.changed = lambda: self._wake(speaker)
        try:
            yield
        finally:
            if self._speakers.get(run_id) is speaker:
                del self._speakers[run_id]

    def repeat(self, run_id: UUID) -> None:
        """Tells of a run from the start, if it runs here."""
        if speaker := self._speakers.get(run_id):
            speaker.again()
            self._wake(speaker)

    async def telling(self) -> None:
        """The loop that tells."""
        while await self._news.wait():
            self._news.clear()
            # While NATS is away it is all kept where it is, and told when that is back.
            if self._bus.connection is not None:
                for speaker in list(self._waiting):
                    await self._tell(speaker)
            elif self._waiting:
                self._news.set()
            await asyncio.sleep(PERIOD_SECONDS)

    async def _tell(self, speaker: _Speaker) -> None:
        try:
            if progress := speaker.next():
                await self._bus.hint(progress)
                self._news.set()  # there may be more
                return
        except Exception as error:  # noqa: BLE001  the edge of a loop: whatever it is, the run goes on
            log.warning("progress cannot be told", action="progress_failed", error=type(error).__name__)
        del self._waiting[speaker]

    def _wake(self, speaker: _Speaker) -> None:
        self._waiting[speaker] = None
        self._news.set()
