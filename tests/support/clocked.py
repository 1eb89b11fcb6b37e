"""A PostgreSQL whose clock a test moves, with Debian's libfaketime."""

import subprocess
from datetime import timedelta
from pathlib import Path

from rota_cli.local import process
from rota_cli.local.postgres import PostgresServer

LIBRARY = "faketime/libfaketime.so.1"


def library() -> Path:
    """Where the package put it, in the folder of the machine's architecture.

    Raises:
        FileNotFoundError: it is not installed.

    """
    found = sorted(Path("/usr/lib").glob(f"*/{LIBRARY}"))
    if not found:
        raise FileNotFoundError("tests/chaos/test_clock.py needs libfaketime: apt-get install libfaketime")
    return found[0]


class ClockedPostgres(PostgresServer):
    """Only the wall clock moves: what waits for a time goes by the monotonic one, as on a real jump."""

    @property
    def _offset(self) -> Path:
        return self.data_dir / "offset"

    def jump(self, by: timedelta) -> None:
        """Sets the clock ahead, or back, in every process of the server at once."""
        ahead = timedelta(seconds=float(self._offset.read_text())) + by
        self._write_offset(ahead)

    def _write_offset(self, ahead: timedelta) -> None:
        draft = self._offset.with_suffix(".new")
        draft.write_text(f"{ahead.total_seconds():+.0f}\n")
        draft.chmod(0o644)  # the server runs as another user
        draft.replace(self._offset)

    def _spawn(self, log: int) -> subprocess.Popen[bytes]:
        if not self._offset.exists():
            self._write_offset(timedelta(0))
        environment = {
            "LC_ALL": "C",
            "LD_PRELOAD": str(library()),
            "FAKETIME_TIMESTAMP_FILE": str(self._offset),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }
        command: list[str | Path] = ["/usr/bin/env"]
        command += [f"{name}={value}" for name, value in environment.items()]
        command += self._command()
        return process.spawn(
            command, cwd=self._cluster, stdout=log, user=self._user, death_signal=self.death_signal
        )
