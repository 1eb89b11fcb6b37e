"""What the local servers have in common: a data directory, a stable port, a process and its log."""

import signal
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar, Self

from rota_cli.local import port, process
from rota_cli.local.errors import LocalPartError, PortTakenError, tail

_PORT_ATTEMPTS = 3
_POLL_SECONDS = 0.01


class LocalServer(ABC):
    """A server as a child process of this one. It may be started and stopped any number of times."""

    name: ClassVar[str]
    start_timeout: ClassVar[float]
    stop_timeout: ClassVar[float]
    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM
    # At once: a successor may already be starting on the same data.
    death_signal: ClassVar[signal.Signals] = signal.SIGKILL

    def __init__(self, data_dir: Path, *, port_number: int = 0, say: Callable[[str], None] = print) -> None:
        self.data_dir = data_dir.absolute()
        self.log = self.data_dir / f"{self.name.lower()}.log"
        self._say = say
        self._port = port.KeptPort(self.data_dir / "port", preferred=port_number)
        self._process: subprocess.Popen[bytes] | None = None
        self._log_start = 0

    @property
    def port(self) -> int:
        """Where it listens; known from the first start on and the same ever after."""
        if self._port.number is None:
            raise LocalPartError(
                self.name, "it was never started, so it has no port", remedy="start it first"
            )
        return self._port.number

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process and self.running else None

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start and wait until it serves. The port of an earlier start is kept if it is free."""
        if self.running:
            return
        for attempt in range(1, _PORT_ATTEMPTS + 1):
            fixed = self._port.number is not None
            try:
                self._start_once()
            except PortTakenError:
                if fixed or attempt == _PORT_ATTEMPTS:
                    raise
                self._port.forget()
            else:
                return

    def stop(self) -> None:
        """Stop in good order. Does nothing when it does not run."""
        self._end(self.stop_signal)

    def kill(self) -> None:
        """Take it away as a crash would: SIGKILL."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        self.stop()
        self.start()

    def wait(self) -> int:
        """Wait until the process ends; its exit code."""
        return self._process.wait() if self._process else 0

    def wait_ready(self, seconds: float | None = None) -> None:
        """Wait until it really serves, or raise with the end of its log."""
        limit = self.start_timeout if seconds is None else seconds
        deadline = time.monotonic() + limit
        while not self._serves():
            if not self.running:
                raise self._ended_early()
            if time.monotonic() > deadline:
                raise self._failed(f"it runs but does not answer on port {self.port} after {limit:.0f} s")
            time.sleep(_POLL_SECONDS)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _start_once(self) -> None:
        self._make_data_dir()
        self._clear()
        self._port.choose()
        self._prepare()
        self._log_start = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as log:
            self._process = self._spawn(log.fileno())
        try:
            self.wait_ready()
        except BaseException:
            self.kill()
            raise

    def _spawn(self, log: int) -> subprocess.Popen[bytes]:
        return process.spawn(self._command(), stdout=log, death_signal=self.death_signal)

    def _make_data_dir(self) -> None:
        try:
            self.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.log.touch(mode=0o600)
        except OSError as error:
            raise LocalPartError(
                self.name,
                f"cannot write to {str(self.data_dir)!r}: {error.strerror}",
                remedy="give this user the directory, or choose another one with --data-dir",
            ) from error

    def _end(self, sign: signal.Signals) -> None:
        if self._process:
            process.end(self._process, sign, timeout=self.stop_timeout)
            self._port.release()

    def _ended_early(self) -> LocalPartError:
        code = self._process.returncode if self._process else None
        if not port.is_free(self.port):
            return PortTakenError(
                self.name,
                f"port {self.port} is taken by another process",
                remedy=f"stop whatever listens on port {self.port} and start again",
                log_tail=tail(self.log, start=self._log_start),
            )
        return self._failed(f"it ended with exit code {code} before it was ready")

    def _failed(self, reason: str) -> LocalPartError:
        return LocalPartError(
            self.name,
            reason,
            remedy=f"read {str(self.log)!r}; {self._remedy()}",
            log_tail=tail(self.log, start=self._log_start),
        )

    def _clear(self) -> None:  # noqa: B027 - most leave nothing behind
        """Deal with what an earlier process may have left behind."""

    @abstractmethod
    def _prepare(self) -> None:
        """Write what the process needs before it starts."""

    @abstractmethod
    def _command(self) -> list[str | Path]: ...

    @abstractmethod
    def _serves(self) -> bool: ...

    @abstractmethod
    def _remedy(self) -> str: ...
