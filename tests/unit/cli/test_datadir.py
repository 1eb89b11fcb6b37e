"""Only one system runs on a data directory."""

import os
import re
from pathlib import Path

import pytest

from rota_cli.errors import CliError
from rota_cli.up.datadir import DataDir


def test_a_second_claim_is_refused_with_the_holder_and_the_remedy(tmp_path: Path) -> None:
    first, second = DataDir(tmp_path), DataDir(tmp_path)
    first.make()
    first.lock()
    with pytest.raises(
        CliError, match=rf"process {os.getpid()}\)\n.*rota down --data-dir {re.escape(str(tmp_path))}"
    ):
        second.lock()
    assert second.holder() == os.getpid()
    first.unlock()
    second.lock()
    second.unlock()


def test_nobody_holds_a_directory_that_was_left(tmp_path: Path) -> None:
    directory = DataDir(tmp_path)
    assert directory.holder() is None
    directory.lock()
    directory.unlock()
    assert directory.holder() is None


def test_a_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(CliError, match=r"(?s)cannot make the data directory .*--data-dir"):
        DataDir(tmp_path / "file" / "data").make()


def test_other_users_cannot_list_it(tmp_path: Path) -> None:
    directory = DataDir(tmp_path / "data")
    directory.make()
    assert directory.path.stat().st_mode & 0o066 == 0
