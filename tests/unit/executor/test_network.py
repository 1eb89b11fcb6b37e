"""Where tools may go: to public addresses, to hosts that the context allows, nowhere else by any trick."""

import asyncio
import socket
from collections.abc import Sequence
from typing import Any

import httpx2
import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from rota_executor.adapters.addresses import is_allowed, is_public
from rota_executor.adapters.fetching import MAX_BYTES, UnreachableError, fetch
from rota_executor.adapters.network import CheckedTransport, Network
from rota_executor.calls import RefusedError
from tests.support.toolkit import CALL, a_network, a_site, resolving

PUBLIC = ("93.184.215.14", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "223.255.255.1")
PRIVATE = (
    *("127.0.0.1", "127.255.0.1", "::1", "0.0.0.0", "::", "::ffff:127.0.0.1", "::127.0.0.1"),
    *("10.0.0.5", "172.16.0.1", "192.168.1.1", "100.64.0.1", "fd00::1", "fec0::1", "::ffff:10.0.0.1"),
    *("169.254.169.254", "fd00:ec2::254", "192.0.0.192", "100.100.100.200", "168.63.129.16"),
    *("fe80::1", "fe80::1%eth0", "224.0.0.1", "239.255.255.250", "ff02::1", "255.255.255.255"),
    *("64:ff9b::10.0.0.1", "64:ff9b:1::1", "2002:7f00:1::", "2001:0:7f00:1::", "192.88.99.1"),
    *("198.18.0.1", "192.0.2.1", "2001:db8::1", "240.0.0.1", "5f00::1"),
)


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_is_everybodys(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("address", PRIVATE)
def test_an_address_of_somebodys_own_is_not_public(address: str) -> None:
    assert not is_public(address)


def test_a_host_is_allowed_as_it_is_written_in_a_url() -> None:
    allowed = frozenset({"printer.example.org", "10.0.0.5:8080", "[fd00::1]"})
    assert is_allowed("Printer.Example.org.", 80, allowed)
    assert is_allowed("10.0.0.5", 8080, allowed)
    assert is_allowed("fd00::1", 443, allowed)
    assert not is_allowed("10.0.0.5", 80, allowed)
    assert not is_allowed("other.printer.example.org", 80, allowed)


async def get(network: Network, url: str, **options: Any) -> Any:
    async with network.client(CALL.context_id, seconds=5) as client:
        return await fetch(client, "GET", url, **options)


# Every way to write this machine, or to be led to it, that is known to have worked somewhere.
TRICKS = (
    "http://127.0.0.1:{port}/",
    "http://localhost:{port}/",
    "http://localhost.:{port}/",
    "http://LOCALHOST:{port}/",
    "http://[::1]:{port}/",
    "http://2130706433:{port}/",
    "http://0x7f000001:{port}/",
    "http://0x7f.1:{port}/",
    "http://0177.0.0.1:{port}/",
    "http://127.1:{port}/",
    "http://0:{port}/",
    "http://0.0.0.0:{port}/",
    "http://[::]:{port}/",
    "http://[::ffff:127.0.0.1]:{port}/",
    "http://[::ffff:7f00:1]:{port}/",
    "http://[0:0:0:0:0:ffff:127.0.0.1]:{port}/",
    "http://example.org@127.0.0.1:{port}/",
    "http://127.0.0.1:{port}#@example.org/",
    "http://①②⑦.⓪.⓪.①:{port}/",
    "http://127。0。0。1:{port}/",
    "http://example.org\\@127.0.0.1:{port}/",
    "http:127.0.0.1:{port}/",
    "http:///127.0.0.1:{port}/",
    "//127.0.0.1:{port}/",
    "file:///etc/passwd",
    "gopher://127.0.0.1:{port}/_x",
    "ftp://127.0.0.1:{port}/",
)


@pytest.mark.parametrize("trick", TRICKS)
async def test_no_trick_leads_to_this_machine(trick: str) -> None:
    asked: list[str] = []

    async def home(request: Request) -> Response:
        asked.append(str(request.url))
        return PlainTextResponse("the secret")

    async with a_site(Route("/{path:path}", home)) as port:
        # Some names are known only where a resolver is at hand.
        with pytest.raises((RefusedError, UnreachableError)):
            await get(a_network(), trick.format(port=port))
    assert asked == []


async def test_a_name_that_nobody_has_is_refused_and_one_that_cannot_be_looked_up_is_not() -> None:
    async def unknown(_host: str, _port: int) -> Sequence[str]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    async def no_resolver(_host: str, _port: int) -> Sequence[str]:
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    with pytest.raises(RefusedError, match=r"^the host 'nobody\.test' is not known$"):
        await get(a_network(resolve=unknown), "http://nobody.test/")
    with pytest.raises(UnreachableError, match="its name could not be looked up"):
        await get(a_network(resolve=no_resolver), "http://somebody.test/")


async def test_one_private_address_among_public_ones_is_enough_to_refuse() -> None:
    network = a_network(resolve=resolving(mixed_test=["93.184.215.14", "10.0.0.1"]))
    with pytest.raises(RefusedError, match=r"'mixed\.test' is at no public address"):
        await get(network, "http://mixed.test/")


async def test_a_name_that_changes_its_address_is_connected_to_at_the_one_that_was_checked() -> None:
    """DNS rebinding: public when it is checked, private when it is connected to."""
    answers = [["93.184.215.14"], ["127.0.0.1"]]
    sent: list[httpx2.Request] = []

    async def rebinding(_host: str, _port: int) -> Sequence[str]:
        return answers.pop(0)

    async def nothing_allowed() -> frozenset[str]:
        return frozenset()

    def answer(request: httpx2.Request) -> httpx2.Response:
        sent.append(request)
        return httpx2.Response(200, text="hello")

    transport = CheckedTransport(httpx2.MockTransport(answer), nothing_allowed, rebinding)
    async with httpx2.AsyncClient(transport=transport, trust_env=False) as client:
        assert (await client.get("https://rebind.test/x?y=1")).text == "hello"
        with pytest.raises(RefusedError):
            await client.get("https://rebind.test/x?y=1")
    [request] = sent
    assert str(request.url) == "https://93.184.215.14/x?y=1"
    assert request.headers["host"] == "rebind.test"
    assert request.extensions["sni_hostname"] == "rebind.test"


async def test_a_redirect_is_checked_like_what_was_asked_for() -> None:
    async def lead(request: Request) -> Response:
        return RedirectResponse(request.query_params["to"])

    async def secret(request: Request) -> Response:
        return PlainTextResponse("the secret")

    async with a_site(Route("/lead", lead)) as site, a_site(Route("/", secret)) as inner:
        network = a_network(f"127.0.0.1:{site}")
        for target in (f"http://127.0.0.1:{inner}/", f"http://localhost:{site}/lead", "file:///etc/passwd"):
            with pytest.raises(RefusedError):
                await get(network, f"http://127.0.0.1:{site}/lead?to={target}", follow=True)
        stays = await get(network, f"http://127.0.0.1:{site}/lead?to=http://127.0.0.1:{inner}/")
        assert (stays.status, stays.headers["location"]) == (307, f"http://127.0.0.1:{inner}/")


async def test_an_allowed_host_is_reached_by_its_name_and_only_on_its_port() -> None:
    async def home(request: Request) -> Response:
        return PlainTextResponse(request.headers["host"])

    async with a_site(Route("/", home)) as port:
        network = a_network(f"intranet.test:{port}", resolve=resolving(intranet_test=["127.0.0.1"]))
        found = await get(network, f"http://intranet.test:{port}/")
        assert (found.status, found.text) == (200, f"intranet.test:{port}")
        with pytest.raises(RefusedError):
            await get(network, f"http://intranet.test:{port + 1}/")


async def test_the_next_address_is_tried_when_one_does_not_answer() -> None:
    async def home(request: Request) -> Response:
        return PlainTextResponse("here")

    async with a_site(Route("/", home)) as port:
        network = a_network("two.test", resolve=resolving(two_test=["::1", "127.0.0.1"]))
        assert (await get(network, f"http://two.test:{port}/")).text == "here"


async def test_headers_that_were_for_the_first_host_are_not_sent_to_the_next() -> None:
    async def lead(request: Request) -> Response:
        return RedirectResponse(request.query_params["to"])

    async def told(request: Request) -> Response:
        return PlainTextResponse(request.headers.get("x-api-key", "no key"))

    async with a_site(Route("/lead", lead), Route("/told", told)) as one, a_site(Route("/told", told)) as two:
        network = a_network("127.0.0.1")
        address = f"http://127.0.0.1:{one}/lead?to="
        headers = {"x-api-key": "k"}
        same = await get(network, f"{address}/told", headers=headers, follow=True)
        other = await get(network, f"{address}http://127.0.0.1:{two}/told", headers=headers, follow=True)
    assert (same.text, other.text) == ("k", "no key")


async def test_redirects_have_an_end() -> None:
    async def around(request: Request) -> Response:
        return RedirectResponse("/")

    async with a_site(Route("/", around)) as port:
        with pytest.raises(RefusedError, match="after 5 redirects"):
            await get(a_network("127.0.0.1"), f"http://127.0.0.1:{port}/", follow=True)


async def test_what_is_read_of_an_answer_has_an_end() -> None:
    async def long(request: Request) -> Response:
        return PlainTextResponse("x" * (10 * MAX_BYTES))

    async with a_site(Route("/", long)) as port:
        found = await get(a_network("127.0.0.1"), f"http://127.0.0.1:{port}/")
    assert (len(found.body), found.is_cut) == (MAX_BYTES, True)


async def test_what_comes_packed_is_unpacked_no_further_than_the_limit() -> None:
    import zlib

    packing = zlib.compressobj(9, zlib.DEFLATED, zlib.MAX_WBITS | 16)
    bomb = b"".join(packing.compress(b"\0" * 1_000_000) for _ in range(200)) + packing.flush()
    small = zlib.compressobj(9, zlib.DEFLATED, zlib.MAX_WBITS | 16)
    packed = small.compress(b"hello") + small.flush()

    async def send(request: Request) -> Response:
        content, coding = {"bomb": (bomb, "gzip"), "small": (packed, "gzip"), "odd": (b"x", "br")}[
            request.path_params["which"]
        ]
        return Response(content, headers={"content-encoding": coding}, media_type="text/plain")

    async with a_site(Route("/{which}", send)) as port:
        network = a_network("127.0.0.1")
        address = f"http://127.0.0.1:{port}"
        assert (await get(network, f"{address}/small")).text == "hello"
        found = await get(network, f"{address}/bomb")
        assert (len(found.body), found.is_cut) == (MAX_BYTES, True)
        with pytest.raises(RefusedError, match="'br'"):
            await get(network, f"{address}/odd")


async def test_who_does_not_answer_is_named() -> None:
    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()  # until the other side has hung up
        writer.close()

    network = a_network("127.0.0.1", "gone.test", resolve=resolving(gone_test=["127.0.0.1"]))
    with pytest.raises(OSError, match=r"'gone\.test' cannot be reached"):
        await get(network, "http://gone.test:1/")
    server = await asyncio.start_server(hang, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with a_network("127.0.0.1").client(CALL.context_id, seconds=0.1) as client:
        with pytest.raises(OSError, match=r"'127\.0\.0\.1' did not answer in time"):
            await fetch(client, "GET", f"http://127.0.0.1:{port}/")
    server.close()
    await server.wait_closed()


@pytest.mark.parametrize(
    "headers", [{"Host": "x"}, {"Content-Length": "0"}, {"a b": "c"}, {"a": "b\r\nHost: c"}, {"": "x"}]
)
async def test_a_header_that_would_change_the_request_itself_is_refused(headers: dict[str, str]) -> None:
    with pytest.raises(RefusedError):
        await get(a_network("127.0.0.1"), "http://127.0.0.1:1/", headers=headers)
