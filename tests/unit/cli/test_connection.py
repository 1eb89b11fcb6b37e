"""Which gateway, which key."""

from pathlib import Path

import pytest

from rota_cli.client.connection import Connection, resolve
from rota_cli.errors import CliError


@pytest.fixture(autouse=True)
def _no_surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ROTA_URL", raising=False)
    monkeypatch.delenv("ROTA_API_KEY", raising=False)


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    (tmp_path / "url").write_text("http://127.0.0.1:8080\n")
    (tmp_path / "api-key").write_text("local-key\n")
    return tmp_path


def test_what_rota_up_left_behind_is_enough(data_dir: Path) -> None:
    found = resolve(url=None, api_key_file=None, data_dir=data_dir)
    assert found == Connection("http://127.0.0.1:8080", "local-key")


@pytest.mark.parametrize(
    "url", ["https://rota.example", "http://127.0.0.1:9999", "http://127.0.0.1.example:8080"]
)
def test_another_gateway_never_gets_the_local_key(data_dir: Path, url: str) -> None:
    with pytest.raises(CliError, match="there is no key for"):
        resolve(url=url, api_key_file=None, data_dir=data_dir)


def test_a_gateway_named_in_the_environment_never_gets_the_local_key(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROTA_URL", "https://rota.example")
    with pytest.raises(CliError, match=r"there is no key for https://rota\.example"):
        resolve(url=None, api_key_file=None, data_dir=data_dir)


def test_the_command_line_counts_more_than_the_environment(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROTA_URL", "https://one.example")
    monkeypatch.setenv("ROTA_API_KEY", "one")
    file = tmp_path / "two"
    file.write_text("two\n")
    found = resolve(url="https://two.example/", api_key_file=file, data_dir=data_dir)
    assert found == Connection("https://two.example", "two")


def test_without_any_gateway_it_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(CliError, match=r"(?s)no gateway is known.*rota up"):
        resolve(url=None, api_key_file=None, data_dir=tmp_path)


def test_a_key_file_that_is_not_there_is_named(data_dir: Path) -> None:
    with pytest.raises(CliError, match=r"cannot read the key in '/no/such'"):
        resolve(url=None, api_key_file=Path("/no/such"), data_dir=data_dir)


def test_an_address_without_a_scheme_is_answered_with_the_right_one(data_dir: Path) -> None:
    with pytest.raises(CliError, match="write http://localhost:8080"):
        resolve(url="localhost:8080", api_key_file=None, data_dir=data_dir)
