"""Ports that stay, and that two systems never both choose."""

import socket
import sys
from pathlib import Path

import pytest

from rota_cli.local.port import KeptPort, free_port, is_free


def test_a_port_stays_the_same_over_restarts(tmp_path: Path) -> None:
    first = KeptPort(tmp_path / "port")
    port = first.choose()
    assert first.choose() == port
    first.release()
    assert KeptPort(tmp_path / "port").choose() == port


def test_a_preferred_port_is_taken_when_it_is_free(tmp_path: Path) -> None:
    wanted = free_port()
    assert KeptPort(tmp_path / "port", preferred=wanted).choose() == wanted


def test_a_port_that_is_listened_on_is_not_chosen(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as occupant:
        taken = occupant.getsockname()[1]
        assert not is_free(taken)
        assert KeptPort(tmp_path / "port", preferred=taken).choose() != taken


@pytest.mark.skipif(sys.platform != "linux", reason="claims are a Linux feature")
def test_a_port_that_another_system_is_about_to_use_is_not_chosen(tmp_path: Path) -> None:
    wanted = free_port()
    first = KeptPort(tmp_path / "first", preferred=wanted)
    assert first.choose() == wanted
    assert KeptPort(tmp_path / "second", preferred=wanted).choose() != wanted
    first.release()
    assert KeptPort(tmp_path / "third", preferred=wanted).choose() == wanted


def test_a_damaged_file_is_as_good_as_none(tmp_path: Path) -> None:
    (tmp_path / "port").write_text("not a number")
    assert KeptPort(tmp_path / "port").choose() > 0
