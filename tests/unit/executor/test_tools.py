"""The built-in tools, on this very machine."""

import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from starlette.applications import Starlette

from rota_chassis.health import health_app, serving
from rota_contracts.tools import BUILT_IN
from rota_executor.adapters import tools
from rota_executor.adapters.registry import Registry
from rota_executor.adapters.tools import clock, health, machine


def test_every_tool_that_the_contracts_describe_is_there_and_no_other() -> None:
    registry = Registry()
    tools.register(registry, services={})
    assert registry.tool_names() == [tool.name for tool in BUILT_IN]


async def test_the_facts_about_the_machine_have_their_form() -> None:
    assert re.fullmatch(r"disk / \d{1,3}% full", await machine.disk({}))
    assert re.fullmatch(r"disk /tmp \d{1,3}% full", await machine.disk({"path": "/tmp"}))
    assert re.fullmatch(r"memory \d{1,3}% used", await machine.memory({}))
    assert re.fullmatch(r"load \d+\.\d on \d+ cores", await machine.load({}))


async def test_the_clock_knows_time_zones() -> None:
    now = datetime.now(UTC)
    told = await clock.now({"timezone": "Asia/Kathmandu"})
    match = re.fullmatch(r"it is \w+day (.+) in Asia/Kathmandu", told)
    assert match
    shown = datetime.fromisoformat(match[1]).replace(tzinfo=ZoneInfo("Asia/Kathmandu"))
    assert abs((shown - now).total_seconds()) < 5


async def test_the_clock_names_a_zone_that_does_not_exist() -> None:
    with pytest.raises(ValueError, match="'Mars/Olympus' is no IANA time zone"):
        await clock.now({"timezone": "Mars/Olympus"})


async def test_health_tells_who_answers_and_who_does_not() -> None:
    async with serving(health_app({}), "127.0.0.1", 0) as alive, serving(Starlette(), "127.0.0.1", 0) as odd:
        look = health.looking_at(
            {
                "gateway": f"http://127.0.0.1:{alive}",
                "ticker": "http://127.0.0.1:1",
                "results": f"http://127.0.0.1:{odd}",
            }
        )
        assert await look({}) == "service gateway is ready\nservice ticker failed\nservice results failed"
