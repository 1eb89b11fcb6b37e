"""The local nats-server: durable, closed to strangers, each service to its own subjects."""

import asyncio
import contextlib
import socket
import stat
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import nats
import pytest
from nats.aio.client import Client

from rota_cli.local import LocalPartError, NatsServer


@pytest.fixture
def server(tmp_path: Path) -> Iterator[NatsServer]:
    with NatsServer(tmp_path / "nats") as server:
        yield server


@contextlib.asynccontextmanager
async def _connected(server: NatsServer, user: str, errors: asyncio.Queue[str]) -> AsyncIterator[Client]:
    async def on_error(error: Exception) -> None:
        errors.put_nowait(str(error).lower())

    client = await nats.connect(server.url, nkeys_seed_str=server.seed(user), error_cb=on_error)
    try:
        yield client
    finally:
        await client.close()


async def test_a_killed_nats_server_has_its_messages_when_it_starts_again(server: NatsServer) -> None:
    async with _connected(server, "admin", asyncio.Queue()) as client:
        await client.jetstream().add_stream(name="KEPT", subjects=["kept"])
        await client.jetstream().publish("kept", b"still here")
    port = server.port

    server.kill()
    server.start()

    assert server.port == port
    async with _connected(server, "admin", asyncio.Queue()) as client:
        message = await client.jetstream().get_msg("KEPT", 1)
    assert message.data == b"still here"


async def test_a_service_may_not_say_what_another_one_says(server: NatsServer) -> None:
    errors: asyncio.Queue[str] = asyncio.Queue()
    async with _connected(server, "notifier", errors) as client:
        await client.publish("job.due.a.b", b"")
        reason = await asyncio.wait_for(errors.get(), timeout=5)
    assert "permissions violation" in reason


def test_who_has_no_key_is_turned_away(server: NatsServer) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as stranger:
        words = stranger.makefile("rb")
        words.readline()
        stranger.sendall(b"CONNECT {}\r\n")
        assert b"Authorization Violation" in words.readline()


def test_seeds_stay_the_same_and_only_their_owner_reads_them(tmp_path: Path) -> None:
    seed = NatsServer(tmp_path / "nats").seed("ticker")
    assert NatsServer(tmp_path / "nats").seed("ticker") == seed
    assert stat.S_IMODE((tmp_path / "nats" / "nkeys" / "ticker.seed").stat().st_mode) == 0o600


def test_an_unknown_user_is_an_error_that_lists_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(LocalPartError, match=r"no user 'nobody'.*\n.*ticker"):
        NatsServer(tmp_path / "nats").seed("nobody")


def test_a_wanted_port_that_is_taken_is_replaced(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as occupant:
        taken = occupant.getsockname()[1]
        with NatsServer(tmp_path / "nats", port=taken) as server:
            assert server.port != taken


def test_the_port_stays_over_restarts_of_the_whole_system(tmp_path: Path) -> None:
    with NatsServer(tmp_path / "nats") as first:
        port = first.port
    with NatsServer(tmp_path / "nats") as second:
        assert second.port == port


def test_a_server_whose_port_was_taken_meanwhile_says_so(server: NatsServer) -> None:
    server.stop()
    with (
        socket.create_server(("127.0.0.1", server.port)),
        pytest.raises(LocalPartError, match=f"NATS: port {server.port} is taken"),
    ):
        server.start()


def test_stopping_twice_or_before_the_start_does_nothing(tmp_path: Path) -> None:
    server = NatsServer(tmp_path / "nats")
    server.stop()
    server.start()
    server.stop()
    server.stop()
    assert not server.running


def test_a_configuration_that_the_server_refuses_shows_its_own_words(tmp_path: Path) -> None:
    server = NatsServer(tmp_path / "nats", max_payload=2**40)
    with pytest.raises(LocalPartError, match=r"max_payload") as failure:
        server.start()
    assert "what to do:" in str(failure.value)
    assert not server.running
