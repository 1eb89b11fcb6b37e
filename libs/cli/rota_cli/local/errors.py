"""What a person reads when a part of the local system cannot do its work."""

from pathlib import Path

from rota_cli.errors import CliError

_TAIL_LINES = 15


class LocalPartError(CliError):
    """A part of the local system failed: which one, why, and what to do about it."""

    def __init__(self, part: str, reason: str, *, remedy: str, log_tail: str = "") -> None:
        self.part = part
        self.log_tail = log_tail
        lines = [f"{part}: {reason}"]
        if log_tail:
            lines += ["its last words:", *(f"  | {line}" for line in log_tail.splitlines())]
        super().__init__("\n".join(lines), remedy=remedy)


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
