"""The built-in tools of the executor, on surroundings of a test's choice."""

import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any
from uuid import UUID, uuid4

from starlette.applications import Starlette

from rota_chassis.health import serving
from rota_contracts.events import Event
from rota_executor.adapters import tools
from rota_executor.adapters.google import GoogleTokens
from rota_executor.adapters.network import Network, Resolve
from rota_executor.adapters.registry import Registry, Tool
from rota_executor.adapters.tools import Surroundings
from rota_executor.adapters.tools.gmail import Gmail
from rota_executor.calls import ToolCall
from rota_executor.notices import Notices
from rota_executor.repository.notebooks import Notebooks
from rota_executor.repository.notices import NoticesRepository
from rota_store import Database

CALL = ToolCall(uuid4(), uuid4(), uuid4(), "the-call")


def a_network(*allowed: str, resolve: Resolve | None = None) -> Network:
    """Where these hosts are allowed in every context, and names are resolved as told."""

    async def hosts(_context: UUID) -> frozenset[str]:
        return frozenset(allowed)

    return Network(hosts, resolve=resolve)


def surroundings(network: Network | None = None, services: Mapping[str, str] | None = None) -> Surroundings:
    """What is not said leads nowhere."""
    nowhere = Database("postgresql://nobody@127.0.0.1:1/nothing", application="test")

    async def unheard(_event: Event) -> None:
        pass

    return Surroundings(
        services or {},
        network or a_network(),
        Gmail("http://127.0.0.1:1", GoogleTokens("http://127.0.0.1:1/token")),
        Notebooks(nowhere),
        Notices(NoticesRepository(nowhere), unheard),
    )


def built_in(network: Network | None = None, services: Mapping[str, str] | None = None) -> Registry:
    registry = Registry()
    tools.register(registry, surroundings(network, services))
    return registry


def tool(name: str, network: Network | None = None) -> Tool:
    found = built_in(network).tool(name)
    assert found
    return found


def resolving(**hosts: Sequence[str]) -> Resolve:
    """A resolver that knows these hosts, `intranet_test` for intranet.test, and no others."""
    known = {name.replace("_", "."): addresses for name, addresses in hosts.items()}

    async def resolve(host: str, _port: int) -> Sequence[str]:
        try:
            return known[host]
        except KeyError:
            raise OSError(f"no such host: {host}") from None

    return resolve


@contextlib.asynccontextmanager
async def a_site(*routes: Any) -> AsyncIterator[int]:
    """The port of a web server on this machine that has these routes."""
    async with serving(Starlette(routes=list(routes)), "127.0.0.1", 0) as port:
        yield port
