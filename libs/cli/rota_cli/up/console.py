"""What `rota up` shows: one prefixed line per line of each part, also kept in files."""

import contextlib
import sys
import threading
from pathlib import Path
from typing import IO, TextIO

_OWN = "rota"
_WIDTH = 12
_COLOURS = (36, 33, 35, 32, 34, 96, 93, 95, 92, 94)
_BOLD = 1
_FILE_LIMIT_BYTES = 10 * 1024 * 1024


class Console:
    def __init__(self, logs: Path, *, stream: TextIO | None = None, colour: bool | None = None) -> None:
        self._logs = logs
        self._stream = stream or sys.stdout
        self._colour = self._stream.isatty() if colour is None else colour
        self._lock = threading.Lock()
        self._files: dict[str, LogFile] = {}
        self._listener: TextIO | None = None

    def say(self, text: str) -> None:
        """A line of the supervisor's own."""
        for line in text.splitlines():
            self._show(_OWN, line)
            self.tell_listener(line)

    def line(self, name: str, text: str) -> None:
        """A line of the part `name`: shown with its prefix, and appended to its file."""
        self._show(name, text)
        with self._lock:
            self._file(name).write(text)

    def tell(self, listener: TextIO | None) -> None:
        """Also send the supervisor's own lines to `listener`, until it is None."""
        self._listener = listener

    def tell_listener(self, line: str) -> None:
        if self._listener:
            with contextlib.suppress(OSError, ValueError):  # it need not wait for us
                self._listener.write(f"{line}\n")
                self._listener.flush()

    def close(self) -> None:
        with self._lock:
            for file in self._files.values():
                file.close()
            self._files.clear()

    def _show(self, name: str, text: str) -> None:
        prefix = f"{name:<{_WIDTH}}│"
        if self._colour:
            prefix = f"\x1b[{_colour_of(name)}m{prefix}\x1b[0m"
        # A terminal that went away must not stop the system.
        with self._lock, contextlib.suppress(OSError, ValueError):
            self._stream.write(f"{prefix} {text}\n")
            self._stream.flush()

    def _file(self, name: str) -> "LogFile":
        if name not in self._files:
            self._files[name] = LogFile(self._logs / f"{name}.log")
        return self._files[name]


class LogFile:
    """A file that grows to a limit; then it becomes the one former file and a new one begins."""

    def __init__(self, path: Path, *, limit: int = _FILE_LIMIT_BYTES) -> None:
        self._path = path
        self._limit = limit
        self._file = self._open()

    def write(self, line: str) -> None:
        if self._file.tell() > self._limit:
            self._file.close()
            self._path.replace(self._path.with_suffix(".log.1"))
            self._file = self._open()
        self._file.write(f"{line}\n".encode())

    def close(self) -> None:
        self._file.close()

    def _open(self) -> IO[bytes]:
        return self._path.open("ab", buffering=0)


def _colour_of(name: str) -> int:
    """The same part has the same colour every time."""
    return _BOLD if name == _OWN else _COLOURS[sum(name.encode()) % len(_COLOURS)]
