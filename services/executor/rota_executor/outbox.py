"""Outcomes on their way out: written, then published, then confirmed; each time all that piled up."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from uuid import UUID, uuid4

import msgspec

from rota_bus import finish_all
from rota_chassis import logs
from rota_contracts.codec import MalformedEventError, decode_payload, encode_payload
from rota_contracts.events import Event, JobCompleted
from rota_executor.attempt import Attempt
from rota_executor.domain import bounded_transcript, ids, kept_notes, without
from rota_executor.pile import Pile
from rota_executor.repository import Ended, Repository
from rota_executor.repository.notebooks import Note
from rota_store import is_transient

log = logs.logger(__name__)

Publish = Callable[[Sequence[Event]], Awaitable[None]]
MAX_BATCH = 1000
MAX_WRITTEN = 4  # batches
MAX_SWEPT = 200
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 2.0


@dataclass(eq=False)
class _Entry:
    attempt: Attempt
    completed: JobCompleted
    written: asyncio.Future[bool] = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    is_plain: bool = False

    def ended(self) -> Ended:
        event = self.attempt.event
        record = self.attempt.record
        said = [] if self.is_plain else bounded_transcript(record.transcript.entries, record.hidden)
        return Ended(
            self.attempt.key,
            encode_payload(self.completed).decode(),
            msgspec.json.encode(said).decode() if said else None,
            None if self.is_plain else record.checkpoint,
            record.continuity.carried(self.completed, without(record.hidden, record.conversation)),
            [
                Note(event.job_id, event.context_id, event.run_id, key, without(record.hidden, value))
                for key, value in kept_notes(self.completed.status, record).items()
            ],
        )

    def settle(self, *, written: bool) -> None:
        if not self.written.done():
            self.written.set_result(written)

    def without_answer(self, error: Exception) -> None:
        """What PostgreSQL does not take cannot be kept; that the run ended can."""
        self.is_plain = True
        self.completed = msgspec.structs.replace(
            self.completed,
            status="error",
            content="",
            pending_actions=[],
            error_kind="internal",
            error_message=f"The answer could not be stored ({type(error).__name__}).",
        )


@dataclass(frozen=True, eq=False)
class _Written:
    """Entries that were written together, and are published together."""

    batch: UUID
    entries: Sequence[_Entry]


class Outbox:
    def __init__(self, repository: Repository, publish: Publish, *, sweep_age_seconds: float) -> None:
        self._repository = repository
        self._publish = publish
        self._sweep_age_seconds = sweep_age_seconds
        # Young outcomes are left to their executor, unless one is gone; at the start it may be the one
        # before this that is.
        self._is_left_behind = True
        self._to_write: Pile[_Entry] = Pile()
        self._to_publish: Pile[_Written] = Pile()

    async def write(self, attempt: Attempt, completed: JobCompleted) -> bool:
        """Returns when the outcome is written, or with False when the lease was not held any more."""
        entry = _Entry(attempt, completed)
        self._to_write.put(entry)
        return await entry.written

    async def writing(self) -> None:
        """The loop that writes outcomes."""
        while True:
            async with self._to_write.taken(MAX_BATCH) as entries:
                await self._write(entries)

    async def publishing(self) -> None:
        """The loop that publishes what is written."""
        while True:
            async with self._to_publish.taken(MAX_WRITTEN) as written:
                await self._publish_written(written)

    async def flush(self) -> None:
        """Returns when all that was handed in has been written and published, as far as possible."""
        await self._to_write.empty()
        await self._to_publish.empty()

    async def sweep(self) -> int:
        """Publishes outcomes, of any executor, that nobody confirmed; how many."""
        age = 0 if self._is_left_behind else self._sweep_age_seconds
        swept = some = await self._sweep_some(age)
        while some >= MAX_SWEPT:
            swept += (some := await self._sweep_some(age))
        self._is_left_behind = False
        return swept

    async def take_over(self) -> int:
        """An executor is gone: publishes what it left behind; how many outcomes."""
        self._is_left_behind = True
        return await self.sweep()

    async def _sweep_some(self, age: float) -> int:
        found = await self._repository.unpublished(older_than_seconds=age, limit=MAX_SWEPT)
        events: list[Event] = []
        for _, key, outcome in found:
            try:
                if outcome is not None:
                    events.append(decode_payload(JobCompleted.TYPE, outcome.encode()))
            except MalformedEventError as error:  # kept with its attempt, where others look as well
                log.error(  # noqa: TRY400  the message says all
                    "an outcome cannot be read",
                    action="outcome_malformed",
                    run_id=str(key.run_id),
                    error=str(error),
                )
        if events:
            await self._publish(events)
            log.info("outcomes were published again", action="swept", count=len(events))
        if found:
            await self._repository.mark_published(list({one.batch for one in found}))
        return len(found)

    async def _write(self, entries: list[_Entry]) -> None:
        pause = FIRST_PAUSE
        # An attempt that was given up meanwhile no longer waits for its entry.
        while waiting := [entry for entry in entries if not entry.written.done()]:
            try:
                written = await self._end(waiting)
            except Exception as error:  # noqa: BLE001  the edge of a loop: decided upon below
                if is_transient(error):
                    log.warning(
                        "outcomes wait", action="outcomes_wait", count=len(waiting), error=repr(error)
                    )
                    await asyncio.sleep(pause)
                    pause = min(2 * pause, LONGEST_PAUSE)
                else:
                    await self._write_singly(waiting, error)
                continue
            self._settle(waiting, written)

    async def _end(self, entries: list[_Entry]) -> list[_Written]:
        """Those that were written; attempts that end together are mostly held under one lease."""
        written: list[_Written] = []
        for executor in {entry.attempt.lease.executor for entry in entries}:
            held = [entry for entry in entries if entry.attempt.lease.executor == executor]
            batch = uuid4()
            keys = await self._repository.end(executor, [entry.ended() for entry in held], batch)
            written.append(_Written(batch, [entry for entry in held if entry.attempt.key in keys]))
        return written

    async def _write_singly(self, entries: list[_Entry], error: Exception) -> None:
        """One outcome that cannot be written must not hold up the others."""
        if len(entries) > 1:
            for entry in entries:
                await self._write([entry])
            return
        entry = entries[0]
        log.error(
            "an outcome cannot be stored",
            action="outcome_refused",
            error=type(error).__name__,
            **ids(entry.attempt.event),
        )
        if entry.is_plain:
            entry.settle(written=False)
        else:
            entry.without_answer(error)

    def _settle(self, entries: list[_Entry], written: list[_Written]) -> None:
        for one in written:
            if one.entries:
                self._to_publish.put(one)
            for entry in one.entries:
                entry.settle(written=True)
        for entry in entries:
            entry.settle(written=False)

    async def _publish_written(self, written: list[_Written]) -> None:
        entries = [entry for one in written for entry in one.entries]
        try:
            await self._publish([entry.completed for entry in entries])
            await self._repository.mark_published([one.batch for one in written])
        except Exception as error:  # noqa: BLE001  the edge of a loop: the outcome is a row, the sweep publishes it
            log.warning(
                "outcomes wait for the sweep", action="publish_failed", count=len(entries), error=repr(error)
            )
        finish_all(entry.attempt.delivery for entry in entries)
