"""What a person reads when a part of the local system cannot do its work."""

from pathlib import Path

_TAIL_LINES = 15


class LocalPartError(Exception):
    """A part of the local system failed: which one, why, and what to do about it."""

    def __init__(self, part: str, reason: str, *, remedy: str, log_tail: str = "") -> None:
        self.part = part
        self.reason = reason
        self.remedy = remedy
        self.log_tail = log_tail
        super().__init__(self._text())

    def _text(self) -> str:
        lines = [f"{self.part}: {self.reason}"]
        if self.log_tail:
            lines += ["its last words:", *(f"  | {line}" for line in self.log_tail.splitlines())]
        lines.append(f"what to do: {self.remedy}")
        return "\n".join(lines)


class PortTakenError(LocalPartError):
    """Another process got hold of the port between its choice and its use."""


def tail(log: Path, *, start: int = 0) -> str:
    """The last lines that were written to `log` after the byte `start`."""
    try:
        with log.open("rb") as file:
            file.seek(start)
            text = file.read().decode(errors="replace")
    except OSError:
        return ""
    return "\n".join(text.splitlines()[-_TAIL_LINES:])
