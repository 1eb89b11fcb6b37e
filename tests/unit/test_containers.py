"""`pytest --containers`: what of it can be known without a Docker engine."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from rota_cli.local.nats import NatsServer
from tests.support.containers import NatsContainer, PostgresContainer

ROOT = Path(__file__).parents[2]
NO_ENGINE = {**os.environ, "DOCKER_HOST": "unix:///nowhere/docker.sock"}


def configured(server: NatsServer) -> Path:
    """Its configuration, written as if it were about to start."""
    server.data_dir.mkdir()
    server._port.choose()
    server._prepare()
    return server.data_dir / "nats.conf"


def test_the_container_of_nats_is_configured_as_the_local_server_is(tmp_path: Path) -> None:
    """The same users, rights and limits; nats-server itself accepts it."""
    file = configured(container := NatsContainer(tmp_path / "nats"))
    told, local = json.loads(file.read_text()), json.loads(NatsServer._configuration(container))
    assert told.keys() == local.keys()
    assert {name for name in told if told[name] != local[name]} == {"host", "jetstream"}
    assert told["jetstream"]["sync_interval"] == "always"
    check = subprocess.run(
        [Path(sys.executable).with_name("nats-server"), "-t", "-c", file],
        capture_output=True,
        text=True,
        check=False,
    )
    assert check.returncode == 0, check.stderr


def test_the_container_of_postgres_listens_where_its_image_says(tmp_path: Path) -> None:
    arguments = PostgresContainer(tmp_path / "postgres", settings={"fsync": "off"})._arguments
    assert arguments[-2:] == ["-c", "fsync=off"]
    assert "max_connections=200" in arguments
    assert not [one for one in arguments if one.startswith(("listen_addresses", "unix_socket", "port"))]


@pytest.mark.parametrize("arguments", [["--containers"], ["--containers", "tests/unit"]])
def test_without_an_engine_the_flag_fails_at_once_and_says_why(arguments: list[str]) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", *arguments],
        cwd=ROOT,
        env=NO_ENGINE,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == pytest.ExitCode.USAGE_ERROR
    assert "ERROR: --containers needs a Docker engine, and none answers here: " in ended.stderr
    assert "collected" not in ended.stdout
    assert "Traceback" not in ended.stderr


def test_without_the_flag_nothing_of_it_is_imported() -> None:
    listing = "import sys, tests.conftest, tests.support.containers; print(*sys.modules)"
    modules = subprocess.run(
        [sys.executable, "-c", listing], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    assert "tests.support.servers" in modules
    assert not [name for name in modules if name.partition(".")[0] in {"testcontainers", "docker"}]
