"""Frames are cut out of what arrives wherever the network cuts it."""

import asyncio
import inspect
from typing import Any

import pytest
from nats.aio.client import Client
from nats.aio.subscription import Subscription
from nats.errors import MaxPayloadError, ProtocolError
from nats.protocol.parser import Parser

from rota_bus.wire import Frame, WireClient, headers_of, publish_frame
from rota_contracts.codec import Message, head_of

BLOCK = b"NATS/1.0\r\na: b\r\n\r\n"
OURS = Frame(b"job.due.x.y", b"$JS.ACK.a.b.1.2.3.4.5", BLOCK, b'{"text":"\r\nMSG a 1 3\r\n"}')
STREAM = (
    b"PING\r\n"
    b"HMSG job.due.x.y 1 $JS.ACK.a.b.1.2.3.4.5 18 %d\r\n"
    % (18 + len(OURS.payload))
    + BLOCK
    + OURS.payload
    + b"\r\n"
    b"MSG inbox 1 0\r\n\r\n"
    b"+OK\r\n"
    b"HMSG inbox 1 18 18\r\n" + BLOCK + b"\r\n"
    b"MSG other 2 5\r\nhello\r\n"
    b"-ERR 'Permissions Violation'\r\n"
    b"HMSG other 2 answer 18 20\r\n" + BLOCK + b"hi\r\n"
    b"MSG inbox 1 $JS.ACK.a.b.1.2.3.4.5 2\r\nhi\r\n"
    b"PONG\r\n"
)


class Recording(WireClient):
    """What arrives, told by whom."""

    def __init__(self) -> None:
        super().__init__()
        self.ours: list[Frame] = []
        self.others: list[object] = []
        self.receivers[b"1"] = self.ours.append

    async def _process_msg(self, *message: Any) -> None:
        self.others.append(message)

    async def _process_ping(self) -> None:
        self.others.append("ping")

    async def _process_pong(self) -> None:
        self.others.append("pong")

    async def _process_err(self, err_msg: str) -> None:
        self.others.append(err_msg)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 20, 100, len(STREAM)])
async def test_frames_are_cut_wherever_what_arrives_is_cut(size: int) -> None:
    client = Recording()
    for start in range(0, 2 * len(STREAM), size):
        await client._ps.parse((2 * STREAM)[start : start + size])
    empty = Frame(b"inbox", b"", b"", b"")
    assert client.ours == 2 * [
        OURS,
        empty,
        empty._replace(block=BLOCK),
        Frame(b"inbox", b"$JS.ACK.a.b.1.2.3.4.5", b"", b"hi"),
    ]
    assert client.others == 2 * [
        "ping",
        (2, b"other", b"", b"hello", None),
        "'permissions violation'",
        (2, b"other", b"answer", b"hi", BLOCK),
        "pong",
    ]


@pytest.mark.parametrize(
    "line",
    [b"NONSENSE\r\n", b"MSG\r\n", b"MSG 0\r\n\r\n", b"MSG a 1 x\r\n", b"HMSG a 1 x 3\r\nabc\r\n", b"\r\n"],
)
async def test_what_is_no_frame_ends_the_connection(line: bytes) -> None:
    with pytest.raises(ProtocolError):
        await Recording()._ps.parse(line)


async def test_the_rest_of_a_connection_that_is_over_is_forgotten() -> None:
    client = Recording()
    await client._ps.parse(STREAM[:40])
    client._ps.reset()
    client._status = Client.RECONNECTING
    await client._ps.parse(STREAM[40:80])
    client._status = Client.CONNECTED
    await client._ps.parse(STREAM)
    assert client.ours[0] == OURS
    assert len(client.ours) == 4


async def test_a_receiver_that_fails_does_not_stop_the_reading() -> None:
    client = Recording()

    def fail(_: Frame) -> None:
        raise RuntimeError("no luck")

    client.receivers[b"1"] = fail
    await client._ps.parse(STREAM)
    assert client.others[-1] == "pong"


def test_what_the_server_says_in_the_first_line_is_a_header() -> None:
    block = b"NATS/1.0 409 Message Size Exceeds\r\nNats-Pending-Messages: 3\r\n\r\n"
    assert headers_of(OURS._replace(block=block)) == {
        "Status": "409",
        "Description": "Message Size Exceeds",
        "Nats-Pending-Messages": "3",
    }
    assert headers_of(OURS) == {"a": "b"}
    assert headers_of(OURS._replace(block=b"")) == {}


def test_a_message_is_written_as_the_library_would() -> None:
    message = Message("dead.x", b"{}", head_of({"a": "b", "reason": "two\r\nlines: ü"}))
    headers = "NATS/1.0\r\na: b\r\nreason: two lines: ü\r\n\r\n".encode()
    sizes = b"%d %d" % (len(headers), len(headers) + 2)
    assert publish_frame(message, b"inbox.1") == b"HPUB dead.x inbox.1 %b\r\n%b{}\r\n" % (sizes, headers)


def test_a_message_that_the_server_would_not_take_is_not_sent() -> None:
    client = WireClient()
    client.require_room([Message("a", b"x" * (client.max_payload - 1000), b"")])
    with pytest.raises(MaxPayloadError):
        client.require_room([Message("a", b"x", b""), Message("a", b"x" * client.max_payload, b"")])


def test_the_library_still_has_the_parts_that_are_used() -> None:
    """Which version of nats-py may change them is not promised anywhere."""
    client = Client()
    assert isinstance(client._ps, Parser)
    assert client._pending == []
    assert client._pending_data_size == 0
    assert client._transport is None
    assert Subscription(client, 7)._id == 7
    assert Client._parse_header_lines(b"a: b\r\n") == {"a": "b"}
    assert asyncio.iscoroutinefunction(Parser.parse)
    source = inspect.getsource(Client)
    assert "await self._ps.parse(" in source
    assert "self._transport.writelines(self._pending[:])" in source
