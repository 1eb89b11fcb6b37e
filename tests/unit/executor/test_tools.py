"""The built-in tools, on this very machine."""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from jsonschema import Draft202012Validator
from starlette.applications import Starlette

from rota_chassis.health import health_app, serving
from rota_executor.adapters.registry import Registry
from rota_executor.adapters.tools import clock, health, machine
from tests.support.toolkit import CALL, built_in


def test_every_tool_says_in_one_line_what_it_does_and_what_it_takes() -> None:
    registry = built_in()
    assert registry.tools()
    for tool in registry.tools():
        described = tool.description
        assert re.fullmatch(r"[A-Z].{10,}[.]", described.description), tool.name
        Draft202012Validator.check_schema(described.parameters)
        assert described.parameters["additionalProperties"] is False, tool.name
        assert tool.source == "rota"


async def test_the_facts_about_the_machine_have_their_form() -> None:
    assert re.fullmatch(r"disk / \d{1,3}% full", await machine.disk({}, CALL))
    assert re.fullmatch(r"disk /tmp \d{1,3}% full", await machine.disk({"path": "/tmp"}, CALL))
    assert re.fullmatch(r"memory \d{1,3}% used", await machine.memory({}, CALL))
    assert re.fullmatch(r"load \d+\.\d on \d+ cores", await machine.load({}, CALL))


async def test_the_clock_knows_time_zones() -> None:
    now = datetime.now(UTC)
    told = await clock.now({"timezone": "Asia/Kathmandu"}, CALL)
    match = re.fullmatch(r"it is \w+day (.+) in Asia/Kathmandu", told)
    assert match
    shown = datetime.fromisoformat(match[1]).replace(tzinfo=ZoneInfo("Asia/Kathmandu"))
    assert abs((shown - now).total_seconds()) < 5


async def test_the_clock_names_a_zone_that_does_not_exist() -> None:
    with pytest.raises(ValueError, match="'Mars/Olympus' is no IANA time zone"):
        await clock.now({"timezone": "Mars/Olympus"}, CALL)


async def test_health_tells_who_answers_and_who_does_not() -> None:
    async with serving(health_app({}), "127.0.0.1", 0) as alive, serving(Starlette(), "127.0.0.1", 0) as odd:
        look = health.looking_at(
            {
                "gateway": f"http://127.0.0.1:{alive}",
                "ticker": "http://127.0.0.1:1",
                "results": f"http://127.0.0.1:{odd}",
            }
        )
        told = await look({}, CALL)
    assert told == "service gateway is ready\nservice ticker failed\nservice results failed"


def test_every_tool_stands_in_the_readme_with_its_effect() -> None:
    page = (Path(__file__).parents[3] / "services/executor/README.md").read_text()
    rows = re.findall(r"^\| (`[^|]+`) \| (read|write) \|", page, re.MULTILINE)
    told = {name: effect for names, effect in rows for name in re.findall(r"`([^`]+)`", names)}
    registry = built_in()
    assert told == {tool.name: tool.description.effect for tool in registry.tools()}


async def test_the_tool_of_the_readme_works() -> None:
    page = (Path(__file__).parents[3] / "services/executor/README.md").read_text()
    [code] = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    names: dict[str, Any] = {}
    exec(code, names)
    registry = Registry()
    names["register"](registry)
    [tool] = registry.tools()
    assert await tool.run({"bed": 2}, CALL) == "bed 2 has 21 degrees"
