"""Where tools come from, and what is refused at the start."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from pydantic_ai.providers import infer_provider_class

from rota_contracts.tools import ToolDescription
from rota_executor.adapters import providers
from rota_executor.adapters.registry import Registry, Tool
from rota_executor.calls import ToolCall
from rota_executor.errors import InvalidConfigurationError


def description(name: str = "wave", **more: Any) -> ToolDescription:
    told: dict[str, Any] = {"effect": "read", "parameters": {"type": "object"}, **more}
    return ToolDescription(name=name, description="Waves.", **told)


async def wave(arguments: Mapping[str, Any], call: ToolCall) -> str:
    return "o/"


def test_an_installed_package_adds_tools_by_its_entry_point(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, code in {
        "broken_waves": "def register(registry):\n    raise RuntimeError('no arms')\n",
        "good_waves": (
            "from tests.unit.executor.test_registry import description, wave\n"
            "def register(registry):\n    registry.add_tool(description(), wave)\n"
        ),
    }.items():
        (tmp_path / f"{name}.py").write_text(code)
        info = tmp_path / f"{name}-1.0.dist-info"
        info.mkdir()
        package = name.replace("_", "-")
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[rota.tools]\nwaves = {name}:register\n")
    monkeypatch.syspath_prepend(tmp_path)
    registry = Registry()
    registry.load_installed()
    assert [(tool.name, tool.source) for tool in registry.tools()] == [("wave", "good-waves")]


def test_a_name_that_is_taken_is_refused_and_both_owners_are_named() -> None:
    registry = Registry()
    registry.add_tool(description(), wave)
    with pytest.raises(InvalidConfigurationError, match="two tools 'wave': of 'rota' and of 'rota'"):
        registry.add_tool(description(), wave)


@pytest.mark.parametrize("name", ["", "wave hands", "wave.hands", "w" * 65, "wävé"])
def test_a_name_that_models_do_not_take_is_refused(name: str) -> None:
    with pytest.raises(InvalidConfigurationError, match="cannot be called so"):
        Registry().add_tool(description(name), wave)


def test_arguments_are_held_against_the_schema() -> None:
    schema = {
        "type": "object",
        "properties": {"times": {"type": "integer", "minimum": 1}, "at": {"$ref": "https://example.org/x"}},
        "required": ["times"],
    }
    registry = Registry()
    registry.add_tool(description(parameters=schema), wave)
    [tool] = registry.tools()
    assert tool.problem({"times": 1}) is None
    assert tool.problem({}) == "'times' is a required property"
    assert tool.problem({"times": 0}) == "times: 0 is less than the minimum of 1"
    # A reference to elsewhere is never fetched, and a schema that is none checks nothing.
    assert tool.problem({"times": 1, "at": 2}) is None
    registry.add_tool(description("other", parameters={"type": 7}), wave)
    assert registry.tools()[1].problem({"anything": 1}) is None


def test_every_provider_that_is_offered_is_one_that_the_runtime_knows() -> None:
    for names in providers.BY_MODULE.values():
        for name in names:
            try:
                infer_provider_class(name)
            except ImportError:  # known, its library is not installed
                assert name not in providers.installed()
            else:
                assert name in providers.installed()


@pytest.mark.parametrize("schema", [{"properties": {"bed": {"pattern": "^(a+)+$"}}}, {"$ref": "#"}])
def test_what_strangers_wrote_cannot_keep_the_executor_busy(schema: dict[str, Any]) -> None:
    """The pattern takes twice as long for each letter more, the reference leads to itself."""
    assert Tool(description("server__pour", parameters=schema), wave).problem({"bed": f"{'a' * 60}!"}) is None


def test_an_ordinary_schema_of_a_server_is_looked_at() -> None:
    schema = {"properties": {"bed": {"type": "integer"}}, "required": ["bed"]}
    assert Tool(description("server__pour", parameters=schema), wave).problem({"bed": "3"}) is not None
