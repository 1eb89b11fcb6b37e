"""`rota up --detach` and `rota down`."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil

from rota_cli.errors import CliError
from rota_cli.local.process import still_alive
from rota_cli.up.datadir import DataDir
from rota_cli.up.foreground import READY
from rota_cli.up.options import Options

_STOP_SECONDS = 90


def start(options: Options) -> None:
    """Start a `rota up` that outlives this process; returns when it is ready."""
    directory = DataDir(options.data_dir)
    directory.make()
    directory.check_unused()
    log = directory.logs / "up.log"
    reading, writing = os.pipe()
    arguments = [*options.arguments(), "--notify", str(writing)]
    with log.open("ab") as output:
        supervisor = subprocess.Popen(
            [sys.executable, "-m", "rota_cli", "up", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            pass_fds=[writing],
            start_new_session=True,
        )
    os.close(writing)
    if not _relay(reading):
        supervisor.wait()  # it still stops what it had started
        raise CliError("Rota did not start", remedy=f"read {str(log)!r}")
    print(f"it goes on in the background; its log is {log}")


def stop(data_dir: Path) -> None:
    """Stop what runs on the data directory and wait until it is gone."""
    directory = DataDir(data_dir)
    pid = directory.holder()
    if pid is None:
        raise CliError(
            f"nothing runs on {directory.shown!r}", remedy="name the right directory with --data-dir"
        )
    print(f"stopping Rota on {directory.shown} (process {pid}) ...")
    supervisor = psutil.Process(pid)
    try:
        os.kill(pid, signal.SIGTERM)
    except PermissionError as error:
        raise CliError(f"process {pid} belongs to another user", remedy="stop it as that user") from error
    if still_alive([supervisor], seconds=_STOP_SECONDS):
        os.kill(pid, signal.SIGKILL)  # its children go with it
        raise CliError(f"process {pid} did not stop within {_STOP_SECONDS} s and was killed")
    print("stopped")


def _relay(reading: int) -> bool:
    """Show what the other process says until it is ready; False when it ended before."""
    with os.fdopen(reading) as lines:
        for line in lines:
            if line.rstrip("\n") == READY:
                return True
            print(line, end="", flush=True)
    return False
