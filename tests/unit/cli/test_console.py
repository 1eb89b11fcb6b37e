"""What a person sees of the parts, and what is kept."""

import io
from pathlib import Path

from rota_cli.up.console import Console, LogFile


def test_every_line_carries_the_name_of_its_part_and_is_kept(tmp_path: Path) -> None:
    screen = io.StringIO()
    console = Console(tmp_path, stream=screen, colour=False)
    console.line("ticker", "claimed 3")
    console.close()
    assert screen.getvalue() == "ticker      │ claimed 3\n"
    assert (tmp_path / "ticker.log").read_text() == "claimed 3\n"


def test_colour_is_for_terminals_only(tmp_path: Path) -> None:
    plain, coloured = io.StringIO(), io.StringIO()
    Console(tmp_path, stream=plain).say("hello")
    Console(tmp_path, stream=coloured, colour=True).say("hello")
    assert "\x1b" not in plain.getvalue()
    assert "\x1b[" in coloured.getvalue()


def test_a_terminal_that_went_away_stops_nothing(tmp_path: Path) -> None:
    screen = io.StringIO()
    console = Console(tmp_path, stream=screen, colour=False)
    screen.close()
    console.line("ticker", "still here")
    console.close()
    assert (tmp_path / "ticker.log").read_text() == "still here\n"


def test_a_log_that_is_full_makes_room_once(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "ticker.log", limit=10)
    for line in ("first line", "second line", "third"):
        log.write(line)
    log.close()
    assert (tmp_path / "ticker.log.1").read_text() == "second line\n"
    assert (tmp_path / "ticker.log").read_text() == "third\n"
