"""`rota credentials` against a real HTTP server that speaks as the gateway does."""

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.integration.cli.test_client import CONTEXT, Gateway, Rota, gateway, rota

__all__ = ["gateway", "rota"]  # fixtures

STORED: dict[str, Any] = {
    "name": "github",
    "kind": "http",
    "settings": {"hosts": ["api.github.com"], "header": "Authorization"},
    "created_by": "Ada",
    "updated_at": "2026-11-21T12:00:00Z",
}
PATH = f"/contexts/{CONTEXT}/credentials"


@pytest.fixture(autouse=True)
def _home(gateway: Gateway) -> None:
    gateway.items("/contexts", {"id": CONTEXT, "name": "home"})


def test_a_credential_is_read_from_a_file_or_from_standard_input(
    gateway: Gateway, rota: Rota, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway.answer("PUT", f"{PATH}/github", STORED)
    (tmp_path / "secret").write_text("Bearer the-token\n")
    options = ("credentials", "set", "github", "-c", "home", "--kind", "http", "--host", "api.github.com")
    said = rota(*options, "--file", str(tmp_path / "secret"))
    assert said.code == 0, said.err
    expected = {"kind": "http", "hosts": ["api.github.com"], "value": "Bearer the-token"}
    assert gateway.asked[-1][3] == expected
    assert "the-token" not in said.out + said.err
    monkeypatch.setattr(sys, "stdin", io.StringIO("Bearer the-token"))
    rota(*options, "--file", "-")
    assert gateway.asked[-1][3] == expected


def test_of_google_only_what_is_needed_is_sent(gateway: Gateway, rota: Rota, tmp_path: Path) -> None:
    gateway.answer("PUT", f"{PATH}/gmail", STORED)
    told = {"client_id": "c", "client_secret": "s", "refresh_token": "r", "type": "authorized_user"}
    file = tmp_path / "token.json"
    options = ("credentials", "set", "gmail", "-c", "home", "--kind", "google", "--file", str(file))
    file.write_text(json.dumps(told))
    rota(*options)
    del told["type"]
    assert gateway.asked[-1][3] == {"kind": "google", **told}
    file.write_text("no JSON but a-secret")
    said = rota(*options)
    assert (said.code, "refresh_token" in said.err, "a-secret" in said.err) == (1, True, False)


def test_nobody_is_asked_where_nobody_is(rota: Rota, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    said = rota("credentials", "set", "x", "-c", "home")
    assert (said.code, "--file" in said.err) == (1, True)
    assert "cannot read '/nowhere'" in rota("credentials", "set", "x", "-c", "home", "--file", "/nowhere").err


def test_credentials_are_listed_deleted_and_rotated(gateway: Gateway, rota: Rota) -> None:
    gateway.items(PATH, STORED)
    assert "api.github.com" in rota("credentials", "list", "-c", "home").out
    gateway.answer("DELETE", f"{PATH}/github", None, status=204)
    assert rota("credentials", "delete", "github", "-c", "home", "--yes").code == 0
    gateway.answer("POST", "/credentials/rotate", {"resealed": 3, "unreadable": 0})
    gateway.answer("POST", "/credentials/rotate", {"resealed": 2, "unreadable": 1})
    assert "3 credentials are sealed" in rota("credentials", "rotate").out
    said = rota("credentials", "rotate")
    assert (said.code, "1 credentials open with none" in said.err) == (1, True)
