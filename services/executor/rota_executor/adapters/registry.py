"""The tools and the sources of models that this executor knows, each by its name."""

import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

from pydantic_ai.models import Model

from rota_chassis import logs
from rota_contracts.mcp import checkable
from rota_contracts.tools import ToolDescription
from rota_executor.adapters.arguments import Checker, checker_of
from rota_executor.calls import ToolCall
from rota_executor.errors import InvalidConfigurationError
from rota_prices import Price

log = logs.logger(__name__)

ToolFunction = Callable[[Mapping[str, Any], ToolCall], Awaitable[str]]
ModelFactory = Callable[[str], Model]

# Installed packages say here what they add: `name = "module:register"`.
ENTRY_POINTS = "rota.tools"
OWN = "rota"
# What every provider of models takes.
NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass
class Tool:
    """`run` gets the arguments by name and returns text: one fact per line. `source` is where it is from."""

    description: ToolDescription
    run: ToolFunction
    source: str = OWN

    @property
    def name(self) -> str:
        return self.description.name

    @cached_property
    def problem(self) -> Checker:
        """What its JSON Schema says against arguments, None where nothing."""
        return checker_of(checkable(self.name, self.description.parameters))


class Registry:
    def __init__(self) -> None:
        self._tools: dict[str, Tool] = {}
        self._models: dict[str, ModelFactory] = {}
        self._prices: dict[str, Price] = {}
        self._source = OWN

    def add_tool(self, description: ToolDescription, run: ToolFunction) -> None:
        """Raises InvalidConfigurationError for a name that is taken, or that models do not take."""
        name = description.name
        if not NAME.fullmatch(name):
            raise InvalidConfigurationError(
                f"The tool {name!r} of {self._source!r} cannot be called so: "
                "1 to 64 letters of ASCII, digits, - and _ make a name."
            )
        if name in self._tools:
            raise InvalidConfigurationError(
                f"There are two tools {name!r}: of {self._tools[name].source!r} and of {self._source!r}. "
                "Rename or remove one."
            )
        self._tools[name] = Tool(description, run, self._source)

    def add_models(self, prefix: str, factory: ModelFactory, *, price: Price | None = None) -> None:
        """Models named `prefix:rest` are made by `factory(rest)`, which may block."""
        self._models[prefix] = factory
        if price is not None:
            self._prices[prefix] = price

    def tool(self, name: str) -> Tool | None:
        return self._tools.get(name)

    def tools(self) -> list[Tool]:
        return list(self._tools.values())

    def model_factory(self, prefix: str) -> ModelFactory | None:
        return self._models.get(prefix)

    def model_price(self, prefix: str) -> Price | None:
        return self._prices.get(prefix)

    def model_prefixes(self) -> list[str]:
        return list(self._models)

    def load_installed(self) -> None:
        """Lets the packages that are installed add what they have; one that fails stops no other."""
        for entry in entry_points(group=ENTRY_POINTS):
            source = entry.dist.name if entry.dist else entry.value
            try:
                with self._adding(source):
                    entry.load()(self)
            except Exception as error:  # noqa: BLE001  whatever a third party's code raises
                why = repr(error)
                log.error("a plug-in cannot be used", action="plugin_failed", source=source, error=why)  # noqa: TRY400  it says all

    def load_module(self, module: str) -> None:
        """Lets `register(registry)` of a module that the operator named add what it has.

        Raises:
            InvalidConfigurationError: there is no such module, or it has no `register`.

        """
        try:
            register = import_module(module).register
        except (ImportError, AttributeError) as error:
            raise InvalidConfigurationError(
                f"The plug-in {module!r} (EXECUTOR_PLUGINS) cannot be used: {error}"
            ) from error
        with self._adding(module):
            register(self)

    @contextmanager
    def _adding(self, source: str) -> Iterator[None]:
        self._source = source
        try:
            yield
        finally:
            self._source = OWN
