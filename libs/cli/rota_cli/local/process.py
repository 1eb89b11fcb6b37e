"""Child processes that never outlive this one."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO

import psutil

from rota_cli.local.osuser import OsUser

_LAUNCHER = Path(__file__).with_name("launcher.py")

# The kernel sends the death signal when the *thread* that forked ends, not the process:
# so one thread that lives as long as the process forks for all the others.
_spawner = ThreadPoolExecutor(max_workers=1, thread_name_prefix="rota-spawner")


def spawn(
    command: Sequence[str | Path],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdout: int | IO[bytes] = subprocess.DEVNULL,
    user: OsUser | None = None,
    death_signal: signal.Signals = signal.SIGKILL,
) -> subprocess.Popen[bytes]:
    """Start `command` in a session of its own, so that Ctrl-C reaches only the parent.

    When this process ends in whatever way, the child gets `death_signal` (Linux only).
    """
    identity = (str(user.uid), str(user.gid)) if user else ("-1", "-1")
    launcher = [
        sys.executable,
        "-I",
        "-S",
        str(_LAUNCHER),
        str(os.getpid()),
        str(int(death_signal)),
        *identity,
    ]

    def start() -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [*launcher, *map(str, command)],
            env=dict(env) if env is not None else None,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    return _spawner.submit(start).result()


def end(process: subprocess.Popen[bytes], sign: signal.Signals, *, timeout: float) -> bool:
    """Signal the process and wait; kill it after `timeout` seconds. True when it went by itself."""
    if process.poll() is not None:
        return True
    process.send_signal(sign)
    try:
        process.wait(timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return False
    return True


def still_alive(processes: Sequence[psutil.Process], *, seconds: float) -> list[psutil.Process]:
    """Wait for processes that are not our children to end; those that did not.

    One that ended counts as gone even if nobody collects it: a container's first process seldom does.
    """
    deadline = time.monotonic() + seconds
    while (alive := [one for one in processes if _lives(one)]) and time.monotonic() < deadline:
        time.sleep(0.01)
    return alive


def _lives(one: psutil.Process) -> bool:
    try:
        return one.is_running() and one.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
