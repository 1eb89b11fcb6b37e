"""`rota up` with real servers and real processes; small programs stand in for the five services."""

import contextlib
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from rota_cli.local.process import still_alive
from rota_cli.up.services import SERVICES

_STANDIN = Path(__file__).with_name("standin.py")


@dataclass
class Rota:
    """The `rota` command on one data directory."""

    data_dir: Path
    environment: dict[str, str]

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "rota_cli", *arguments, "--data-dir", str(self.data_dir)]

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*arguments),
            env={**self.environment, **environment},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def up(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return self.run("up", "--detach", "--model", "none", "--no-demo", *arguments, **environment)

    @property
    def supervisor(self) -> psutil.Process:
        return psutil.Process(int((self.data_dir / "lock").read_text()))

    @property
    def children(self) -> dict[str, psutil.Process]:
        """The part's name, or the service's, and its process."""
        found = {}
        for child in self.supervisor.children():
            with contextlib.suppress(psutil.Error):  # it has just ended
                found[_name(child.cmdline())] = child
        return found

    @property
    def ports(self) -> Mapping[str, str]:
        files = [*self.data_dir.glob("ports/*"), *self.data_dir.glob("*/port")]
        return {str(file.relative_to(self.data_dir)): file.read_text() for file in files}


def _name(command: list[str]) -> str:
    if "-m" in command:
        return command[command.index("-m") + 1].removeprefix("rota_")
    return Path(command[0]).name if command else ""


@pytest.fixture
def rota(tmp_path: Path) -> Iterator[Rota]:
    for service in SERVICES:
        package = tmp_path / "standins" / f"rota_{service}"
        package.mkdir(parents=True)
        (package / "__init__.py").touch()
        (package / "standin.py").write_text(_STANDIN.read_text())
        (package / "__main__.py").write_text(f"from rota_{service}.standin import main\nmain({service!r})\n")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "standins")}
    rota = Rota(tmp_path / "data", environment)
    yield rota
    rota.run("down")
    shutil.rmtree(tmp_path / "data", ignore_errors=True)


def _soon(condition: Callable[[], object], what: str, *, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not happen within {seconds} s"
        time.sleep(0.02)


def test_it_says_where_everything_is_refuses_a_second_one_and_ends_without_a_trace(rota: Rota) -> None:
    up = rota.up()
    assert up.returncode == 0, up.stdout + up.stderr
    url = (rota.data_dir / "url").read_text().strip()
    assert f"Rota runs at   {url}" in up.stdout
    assert "http://127.0.0.1/sign-in/once" in up.stdout
    key = rota.data_dir / "api-key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert f"bootstrapped with {key.read_text()}" in (rota.data_dir / "logs" / "bootstrap.log").read_text()
    assert key.read_text().strip() not in up.stdout

    second = rota.up()
    assert second.returncode == 1
    assert f"process {rota.supervisor.pid}" in second.stderr
    assert "rota down" in second.stderr
    everything = [rota.supervisor, *rota.supervisor.children(recursive=True)]

    down = rota.run("down")

    assert down.returncode == 0, down.stderr
    assert still_alive(everything, seconds=5) == []
    assert not (rota.data_dir / "url").exists()
    assert rota.run("down").returncode == 1


def test_whatever_dies_is_started_again_where_it_was(rota: Rota) -> None:
    rota.up("--scale", "executor=2")
    ports = rota.ports
    before = rota.children
    assert {"nats-server", "postgres", *SERVICES} <= before.keys()
    for child in before.values():
        child.kill()

    def all_back() -> bool:
        now = rota.children
        return now.keys() >= before.keys() and all(
            now[name].pid != child.pid for name, child in before.items()
        )

    _soon(all_back, "the return of every part")
    log = rota.data_dir / "logs" / "up.log"
    assert "ticker died (signal SIGKILL); starting it again in 0.5 s" in log.read_text()
    assert rota.ports == ports


def test_no_process_outlives_a_killed_supervisor_and_the_next_start_goes_on(rota: Rota) -> None:
    rota.up()
    key, ports = (rota.data_dir / "api-key").read_text(), rota.ports
    children = rota.supervisor.children(recursive=True)

    rota.supervisor.kill()
    again = rota.up()

    assert still_alive(children, seconds=5) == []
    assert again.returncode == 0, again.stdout + again.stderr
    assert (rota.data_dir / "api-key").read_text() == key
    assert rota.ports == ports


def test_a_wanted_port_that_is_taken_is_an_error(rota: Rota) -> None:
    with socket.create_server(("127.0.0.1", 0)) as occupant:
        port = occupant.getsockname()[1]
        up = rota.up("--port", str(port))
    assert up.returncode == 1
    assert f"port {port} is taken" in up.stdout + up.stderr
    assert rota.run("down").returncode == 1


def test_a_service_that_cannot_start_is_named_with_its_last_words(rota: Rota) -> None:
    up = rota.up(STANDIN_BROKEN="gateway")
    said = up.stdout + up.stderr
    assert up.returncode == 1
    assert "gateway: it died 3 times before it was ready" in said
    assert "gateway misses a setting" in said
    assert "what to do: read" in said
    assert rota.run("down").returncode == 1


def test_ctrl_c_ends_it_in_order_also_while_it_starts(rota: Rota, tmp_path: Path) -> None:
    output = tmp_path / "output"
    with output.open("w") as screen:
        command = rota.command("up", "--model", "none", "--no-demo")
        up = subprocess.Popen(command, env=rota.environment, stdout=screen, stderr=subprocess.STDOUT)
    _soon(lambda: "bringing the database up to date" in output.read_text(), "the start of PostgreSQL")
    children = psutil.Process(up.pid).children(recursive=True)
    assert children

    up.send_signal(signal.SIGINT)

    assert up.wait(timeout=30) == 0
    assert still_alive(children, seconds=5) == []
    assert output.read_text().endswith("stopped\n")


def test_two_that_start_at_the_same_moment_do_not_get_in_each_others_way(rota: Rota, tmp_path: Path) -> None:
    other = Rota(tmp_path / "other", rota.environment)
    with ThreadPoolExecutor(max_workers=2) as pool:
        for up in pool.map(lambda one: one.up(), (rota, other)):
            assert up.returncode == 0, up.stdout + up.stderr
    try:
        shared_ports = set(rota.ports.values()) & set(other.ports.values())
        assert shared_ports == set()
    finally:
        assert other.run("down").returncode == 0
        shutil.rmtree(other.data_dir)
