"""A Python program of ours as a child process whose lines go to the console."""

import contextlib
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Mapping, Sequence

from rota_cli.local import process
from rota_cli.local.errors import LocalPartError
from rota_cli.up.console import Console

_REMEMBERED_LINES = 15


class Program:
    """`python -m <module>`; started and stopped any number of times."""

    def __init__(
        self,
        name: str,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        console: Console,
        *,
        stop_timeout: float,
    ) -> None:
        self.name = name
        self._command = [sys.executable, "-m", *arguments]
        self._environment = {**environment, "PYTHONUNBUFFERED": "1"}
        self._console = console
        self._stop_timeout = stop_timeout
        self._process: subprocess.Popen[bytes] | None = None
        self._reader: threading.Thread | None = None
        self._last_lines: deque[str] = deque(maxlen=_REMEMBERED_LINES)

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process and self._process.poll() is None else None

    @property
    def log_tail(self) -> str:
        return "\n".join(self._last_lines)

    def start(self) -> None:
        self._last_lines.clear()
        self._process = process.spawn(self._command, env=self._environment, stdout=subprocess.PIPE)
        self._reader = threading.Thread(target=self._read, args=(self._process,), daemon=True)
        self._reader.start()

    def wait(self) -> int:
        """Wait until it ended and its last line is shown; its exit code."""
        if self._process is None or self._reader is None:
            return 0
        code = self._process.wait()
        self._reader.join(timeout=1)  # a grandchild may hold the pipe open
        return code

    def stop(self) -> None:
        if self._process and not process.end(self._process, signal.SIGTERM, timeout=self._stop_timeout):
            self._console.say(f"{self.name} did not end within {self._stop_timeout:.0f} s and was killed")

    def kill(self) -> None:
        if self._process:
            self._process.kill()

    def run(self, *, remedy: str) -> None:
        """Run to the end; an exit code other than 0 is an error with its last lines."""
        self.start()
        code = self.wait()
        if code != 0:
            raise LocalPartError(
                self.name, f"ended with {ending(code)}", remedy=remedy, log_tail=self.log_tail
            )

    def _read(self, child: subprocess.Popen[bytes]) -> None:
        if child.stdout is None:
            return
        with child.stdout, contextlib.suppress(ValueError):
            for line in child.stdout:
                text = line.decode(errors="replace").rstrip()
                self._last_lines.append(text)
                self._console.line(self.name, text)


def ending(code: int) -> str:
    """How a process ended, in words."""
    return f"exit code {code}" if code >= 0 else f"signal {signal.Signals(-code).name}"
