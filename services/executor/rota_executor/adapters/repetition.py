"""The guard against runs that go round in circles: one tool, the same arguments, again and again."""

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from pydantic_ai import RunContext
from pydantic_ai.toolsets import AbstractToolset, ToolsetTool, WrapperToolset

from rota_executor.adapters.limits import repeated


@dataclass
class Repetitions:
    """The calls of one run; it ends with the one that makes `limit` alike. None: there may be any number."""

    limit: int | None
    _made: Counter[str] = field(default_factory=Counter)

    def count(self, tool: str, arguments: dict[str, Any]) -> None:
        """Before a call is made.

        Raises:
            LimitReachedError: it would be one too many.

        """
        if self.limit is None:
            return
        call = json.dumps([tool, arguments], sort_keys=True, default=str)
        self._made[call] += 1
        if self._made[call] >= self.limit:
            raise repeated(tool, self.limit)


@dataclass
class CountedToolset(WrapperToolset[None]):
    """Counts each call, whatever the toolset then makes of it."""

    repetitions: Repetitions = field(kw_only=True)

    async def call_tool(
        self, name: str, tool_args: dict[str, Any], ctx: RunContext[None], tool: ToolsetTool[None]
    ) -> Any:
        self.repetitions.count(name, tool_args)
        return await super().call_tool(name, tool_args, ctx, tool)


def counted(toolsets: Iterable[AbstractToolset[None]], limit: int | None) -> list[AbstractToolset[None]]:
    """The toolsets of one run, watched together."""
    repetitions = Repetitions(limit)
    return [CountedToolset(toolset, repetitions=repetitions) for toolset in toolsets]
