"""Instants, durations and texts as people read them."""

from datetime import UTC, datetime, timedelta

import pytest

from rota_cli.client.moment import duration, local_time, relative, zone_name
from rota_cli.client.view import first_line

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "now"),
        (45, "in 45 s"),
        (90, "in 1 min"),
        (7_200, "in 2 h"),
        (200_000, "in 2 d"),
        (-120, "2 min ago"),
    ],
)
def test_the_distance_of_an_instant_is_told_in_its_largest_unit(seconds: int, words: str) -> None:
    assert relative((NOW + timedelta(seconds=seconds)).isoformat(), NOW) == words


def test_an_instant_of_the_api_is_shown_in_the_local_zone() -> None:
    local = datetime.fromisoformat("2026-11-21T12:00:00Z").astimezone()
    assert local_time("2026-11-21T12:00:00Z") == f"{local:%Y-%m-%d %H:%M:%S}"
    assert zone_name()


def test_no_instant_is_no_text() -> None:
    assert (local_time(None), relative(None, NOW), duration(None)) == ("", "", "")


@pytest.mark.parametrize(
    ("milliseconds", "words"), [(12, "12 ms"), (5_234, "5.2 s"), (59_990, "60.0 s"), (125_000, "2 min 5 s")]
)
def test_a_duration_is_told_in_the_unit_that_fits(milliseconds: int, words: str) -> None:
    assert duration(milliseconds) == words


def test_a_long_text_is_cut_visibly() -> None:
    assert first_line("one\ntwo") == "one…"
    assert first_line("x" * 100) == "x" * 59 + "…"
    assert first_line("short") == "short"
    assert first_line(None) == ""
