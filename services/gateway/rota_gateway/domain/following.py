"""How far a run was told to somebody who follows it, and what comes next. Pure.

An attempt is told entry by entry, each once and in order; of the entry that is being said, its text piece by
piece. What is heard live is told where it continues what was told; what is missing between comes again when
the executor is asked to repeat it, or from the transcript that is stored when the attempt has ended.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import msgspec

from rota_contracts.events import RunProgress
from rota_contracts.transcript import Entry

# Characters that are told of one entry; the conversation has all of them.
MAX_ENTRY = 4_000
_MARK = re.compile(r"([0-9]{1,9})\.([0-9]{1,9})\.([0-9]{1,9})")

Kind = Literal["attempt", "text", "message", "waiting", "end"]


class Told(NamedTuple):
    """One event; `id` is what a reader who comes again names as the last that it got."""

    kind: Kind
    id: str
    data: Mapping[str, Any]


@dataclass
class Follower:
    """Was told of that attempt, so many whole entries, and so many characters of the next."""

    attempt: int = 0
    entries: int = 0
    offset: int = 0
    # Of this one and those before, what is stored was told: it need not be read again.
    finished: int = 0

    @classmethod
    def after(cls, last_event_id: str | None) -> "Follower":
        """Who got that event last; from the start with none, or one that is not of ours."""
        mark = _MARK.fullmatch(last_event_id or "")
        return cls(*map(int, mark.groups())) if mark else cls()

    @property
    def id(self) -> str:
        return f"{self.attempt}.{self.entries}.{self.offset}"

    def stored(self, attempts: Sequence[Mapping[str, Any]]) -> list[Told]:
        """What rows tell: `attempt`, `state`, … of each, in order.

        Of one that has ended its `transcript`, unless that was told, and the position of its `last` entry.
        """
        told: list[Told] = []
        said = 0
        for one in attempts:
            if one["attempt"] > self.attempt:
                # A run that goes on after it waited knows what was said before.
                self.attempt, self.entries, self.offset = one["attempt"], said, 0
                about = {name: one[name] for name in ("attempt", "session_id", "started_at")}
                told.append(Told("attempt", self.id, about))
            if one["attempt"] == self.attempt and one["transcript"]:
                told += self._messages(msgspec.convert(one["transcript"], list[Entry]))
            if one["state"] == "ended":
                self.finished = max(self.finished, one["attempt"])
            if one["status"] == "partial":
                said = one["last"] or 0
        return told

    def _messages(self, entries: Iterable[Entry]) -> list[Told]:
        """Of a transcript that was cut, what there is."""
        return [self._message(entry) for entry in entries if entry.position > self.entries]

    def live(self, progress: RunProgress) -> tuple[list[Told], bool]:
        """What a message tells, and whether something before it is missing."""
        told: list[Told] = []
        if progress.attempt != self.attempt:
            return told, False
        for step in progress.steps:
            if step.position > self.entries + 1:
                return told, True
            if step.position <= self.entries:
                continue
            if step.entry is not None:
                told.append(self._message(step.entry))
            elif step.offset > self.offset:
                return told, True
            elif piece := step.text[self.offset - step.offset :]:
                offset, self.offset = self.offset, self.offset + len(piece)
                data = {"attempt": self.attempt, "position": step.position, "offset": offset, "text": piece}
                told.append(Told("text", self.id, data))
        return told, False

    def _message(self, entry: Entry) -> Told:
        self.entries, self.offset = entry.position, 0
        is_long = len(entry.content) > MAX_ENTRY
        cut = msgspec.structs.replace(
            entry, content=entry.content[:MAX_ENTRY], arguments=None if is_long else entry.arguments
        )
        return Told("message", self.id, {"attempt": self.attempt, **msgspec.to_builtins(cut)})


def end_of(run: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """What a run came to, once nothing more will come of it."""
    has_run = run["status"] in {"success", "error"}
    was_closed = run["status"] is None and run["disposition"] not in {None, "ran"}
    return {name: run[name] for name in END} if has_run or was_closed else None


END = (
    "status",
    "disposition",
    "reason",
    "error_kind",
    "error_message",
    "outcome_status",
    "outcome_summary",
    "outcome_severity",
    "result_content",
)


def waiting_for(run: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The calls that a parked run waits for a person to decide on."""
    calls: list[Mapping[str, Any]] = [
        {name: action[name] for name in ("id", "tool_name", "arguments", "expires_at")}
        for action in run["pending_actions"]
        if action["status"] == "pending"
    ]
    return calls if run["status"] == "partial" and run["state"] == "closed" else []
