"""No child outlives its parent, however the parent ends."""

import signal
import subprocess
import sys
import threading

import psutil
import pytest

from rota_cli.local import process

_CHILD = "print('alive', flush=True); import time; time.sleep(600)"
_PARENT = f"""
import subprocess, sys, time
from rota_cli.local import process
child = process.spawn([sys.executable, "-c", {_CHILD!r}], stdout=subprocess.PIPE)
child.stdout.readline()
print(child.pid, flush=True)
time.sleep(600)
"""

_STUBBORN = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print(flush=True)
time.sleep(600)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells children that their parent died")
def test_the_child_of_a_killed_parent_dies() -> None:
    with subprocess.Popen([sys.executable, "-c", _PARENT], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        child = psutil.Process(int(parent.stdout.readline()))
        assert child.is_running()
        parent.kill()
    assert process.still_alive([child], seconds=5) == []


def test_a_child_lives_on_when_the_thread_that_asked_for_it_ends() -> None:
    children: list[subprocess.Popen[bytes]] = []
    thread = threading.Thread(target=lambda: children.append(process.spawn(["sleep", "600"])))
    thread.start()
    thread.join()
    with pytest.raises(subprocess.TimeoutExpired):
        children[0].wait(timeout=0.3)
    assert process.end(children[0], signal.SIGTERM, timeout=5)


def test_a_program_that_is_not_there_is_named() -> None:
    child = process.spawn(["/no/such/program"], stdout=subprocess.PIPE)
    words, _ = child.communicate()
    assert b"cannot run '/no/such/program'" in words


def test_a_child_that_ignores_the_request_to_end_is_killed() -> None:
    child = process.spawn([sys.executable, "-c", _STUBBORN], stdout=subprocess.PIPE)
    assert child.stdout
    with child.stdout:
        child.stdout.readline()
        assert not process.end(child, signal.SIGTERM, timeout=0.2)
    assert child.returncode == -9
