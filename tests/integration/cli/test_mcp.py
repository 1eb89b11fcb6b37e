"""`rota mcp` against a real HTTP server that speaks as the gateway does."""

from typing import Any

import pytest

from tests.integration.cli.test_client import CONTEXT, Gateway, Rota, gateway, rota

__all__ = ["gateway", "rota"]  # fixtures

SERVER: dict[str, Any] = {
    "name": "garden",
    "transport": "http",
    "url": "https://mcp.example.org/mcp",
    "command": None,
    "status": "failed",
    "error": "Connection refused",
    "discovered_at": "2026-11-21T12:00:00Z",
}
TOOL = {"name": "garden__water", "effect": "write", "policy": "ask", "description": "Waters a bed."}
PATH = f"/contexts/{CONTEXT}/mcp-servers"


@pytest.fixture(autouse=True)
def _home(gateway: Gateway) -> None:
    gateway.items("/contexts", {"id": CONTEXT, "name": "home"})


def test_a_server_is_set_with_what_is_known_of_its_tools(gateway: Gateway, rota: Rota) -> None:
    gateway.answer("PUT", f"{PATH}/garden", {**SERVER, "tools": [TOOL]})
    said = rota(
        *("mcp", "set", "garden", "-c", "home", "--address", "https://mcp.example.org/mcp"),
        *("--credential", "door", "--allow", "water", "--effect", "water=write"),
    )
    assert said.code == 0, said.err
    assert gateway.asked[-1][3] == {
        "transport": "http",
        "url": "https://mcp.example.org/mcp",
        "credential": "door",
        "allowed_tools": ["water"],
        "effects": {"water": "write"},
    }
    assert "garden__water" in said.out
    assert "Waters a bed." in said.out
    rota("mcp", "set", "garden", "-c", "home", "--command", "garden")
    assert gateway.asked[-1][3] == {"transport": "stdio", "command": "garden", "effects": {}}
    assert "search=read" in rota("mcp", "set", "garden", "-c", "home", "--effect", "water").err


def test_servers_are_listed_shown_looked_into_and_deleted(gateway: Gateway, rota: Rota) -> None:
    gateway.items(PATH, SERVER)
    listed = rota("mcp", "list", "-c", "home").out
    assert "Connection refused" in listed
    gateway.answer("GET", f"{PATH}/garden", {**SERVER, "tools": []})
    assert "Connection refused" in rota("mcp", "show", "garden", "-c", "home").out
    gateway.answer("POST", f"{PATH}/garden/refresh", {**SERVER, "status": "pending", "tools": []}, status=202)
    assert "pending" in rota("mcp", "refresh", "garden", "-c", "home").out
    gateway.answer("DELETE", f"{PATH}/garden", None, status=204)
    assert rota("mcp", "delete", "garden", "-c", "home", "--yes").code == 0
