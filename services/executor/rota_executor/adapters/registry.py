"""The tools and the sources of models that this executor knows, each by its name."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from pydantic_ai.models import Model

from rota_contracts.tools import ToolDescription
from rota_executor.errors import InvalidConfigurationError

ToolFunction = Callable[[Mapping[str, Any]], Awaitable[str]]
ModelFactory = Callable[[str], Model]


@dataclass(frozen=True)
class Tool:
    """`run` gets the arguments by name and returns text: one fact per line."""

    description: ToolDescription
    run: ToolFunction


class Registry:
    def __init__(self) -> None:
        self._tools: dict[str, Tool] = {}
        self._models: dict[str, ModelFactory] = {}

    def add_tool(self, description: ToolDescription, run: ToolFunction) -> None:
        self._tools[description.name] = Tool(description, run)

    def add_models(self, prefix: str, factory: ModelFactory) -> None:
        """Models named `prefix:rest` are made by `factory(rest)`, which may block."""
        self._models[prefix] = factory

    def tool(self, name: str) -> Tool | None:
        return self._tools.get(name)

    def tool_names(self) -> list[str]:
        return list(self._tools)

    def model_factory(self, prefix: str) -> ModelFactory | None:
        return self._models.get(prefix)

    def load_plugin(self, module: str) -> None:
        """Lets `register(registry)` of a module add what it has.

        Raises:
            InvalidConfigurationError: there is no such module, or it has no `register`.

        """
        try:
            register = import_module(module).register
        except (ImportError, AttributeError) as error:
            raise InvalidConfigurationError(
                f"The plug-in {module!r} (EXECUTOR_PLUGINS) cannot be used: {error}"
            ) from error
        register(self)
