"""What `rota up` says of the demo's first run."""

from pathlib import Path

import pytest

from rota_cli.up import firstresult
from tests.integration.cli.test_client import Gateway

DEMO = {"job_name": "Watch this machine", "agent_name": "watchman", "status": "success"}
OTHER = {"job_name": "Tell about the beds", "agent_name": "Messenger", "status": "partial"}


@pytest.fixture
def said(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setattr(firstresult, "_POLL_SECONDS", 0)
    gateway.items("/runs")
    return []


def told(gateway: Gateway, said: list[str]) -> str:
    firstresult.report_first_result(gateway.url, "key", said.append, command="rota", data_dir=Path("data"))
    return said[-1]


def test_the_first_result_is_the_demos_also_when_others_are_there_before_it(
    gateway: Gateway, said: list[str]
) -> None:
    gateway.items("/runs", OTHER)
    gateway.items("/runs", OTHER, DEMO, OTHER)
    assert "first result: Watch this machine by watchman, success" in told(gateway, said)
    assert said[0].startswith("the demo's first result comes")
    assert len(said) == 2


def test_a_gateway_that_restarts_meanwhile_is_waited_for(gateway: Gateway, said: list[str]) -> None:
    gateway.answer("GET", "/runs", {"title": "Service Unavailable", "status": 503}, status=503)
    gateway.items("/runs", DEMO)
    assert "first result: Watch this machine by watchman, success" in told(gateway, said)


def test_no_result_is_said_with_where_to_look(
    gateway: Gateway, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(firstresult, "_PATIENCE_SECONDS", 0)
    gateway.items("/runs", OTHER)
    assert "see 'rota jobs list' and data/logs" in told(gateway, said)


def test_a_later_start_shows_the_latest_result_of_all(gateway: Gateway, said: list[str]) -> None:
    gateway.answers.clear()
    gateway.items("/runs", OTHER)
    assert "latest result: Tell about the beds by Messenger, partial" in told(gateway, said)
    assert len(said) == 1
