"""The directory in which a local system keeps everything, and who may run on it."""

import errno
import fcntl
import os
from pathlib import Path
from typing import IO

from rota_cli.errors import CliError
from rota_cli.local.port import KeptPort


class DataDir:
    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.shown = str(path)
        self.nats = self.path / "nats"
        self.postgres = self.path / "postgres"
        self.model = self.path / "model"
        self.logs = self.path / "logs"
        self.url_file = self.path / "url"
        self.api_key_file = self.path / "api-key"
        self.credential_keys_file = self.path / "credential-keys"
        self._lock_file = self.path / "lock"
        self._lock: IO[str] | None = None

    def make(self) -> None:
        # The user that PostgreSQL runs as where Rota runs as root has to pass through.
        mode = 0o711 if os.geteuid() == 0 else 0o700
        try:
            self.path.mkdir(mode=mode, parents=True, exist_ok=True)
            for directory in (self.logs, self.path / "ports"):
                directory.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise CliError(
                f"cannot make the data directory {self.shown!r}: {error.strerror}",
                remedy="choose another one with --data-dir",
            ) from error

    def port(self, name: str, *, preferred: int = 0) -> KeptPort:
        return KeptPort(self.path / "ports" / name, preferred=preferred)

    def role_password_file(self, role: str) -> Path:
        return self.postgres / "roles" / role

    def lock(self) -> None:
        """Claim the directory for this process until it ends, however it ends."""
        lock = self._lock_file.open("a+")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            lock.close()
            if error.errno not in {errno.EAGAIN, errno.EACCES}:
                raise
            raise self._in_use() from error
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        self._lock = lock

    def unlock(self) -> None:
        if self._lock:
            self._lock.close()
            self._lock = None

    def holder(self) -> int | None:
        """The process that runs on this directory, None when there is none."""
        try:
            with self._lock_file.open("r+") as probe:
                try:
                    fcntl.flock(probe, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    return int(probe.read().strip() or 0)
        except FileNotFoundError:
            pass
        return None

    def check_unused(self) -> None:
        if self.holder() is not None:
            raise self._in_use()

    def _in_use(self) -> CliError:
        try:
            pid = self._lock_file.read_text().strip()
        except OSError:
            pid = "unknown"
        return CliError(
            f"Rota already runs on {self.shown!r} (process {pid})",
            remedy=f"stop it with 'rota down --data-dir {self.shown}', or choose another --data-dir",
        )
