"""Tools that run before the model: their output is handed over as facts, no tokens are spent on deciding."""

import asyncio
from collections.abc import Callable, Sequence
from typing import NamedTuple

from rota_contracts.transcript import CallStatus, Entry
from rota_executor.adapters.approval import Guard
from rota_executor.adapters.registry import Tool
from rota_executor.adapters.toolbox import Toolbox
from rota_executor.adapters.transcript import Timing, entry, now
from rota_executor.agent import ToolLink
from rota_executor.domain import Record
from rota_executor.errors import ToolError, ToolFailedError
from rota_executor.facts import facts_of

GuardOf = Callable[[ToolLink, Tool], Guard]


NOT_ALLOWED = {
    "deny": "it is not allowed",
    "ask": "it asks first, and before the model nobody can be asked: link it with policy auto",
}


class Fact(NamedTuple):
    """`is_failure`: the tool gave nothing, the text says why."""

    text: str
    is_failure: bool = False


async def prefetched(
    links: Sequence[ToolLink], tools: Toolbox, guard_of: GuardOf, record: Record
) -> list[Fact]:
    """The facts of all linked tools, in their order; a tool that fails is a fact and a warning."""
    outputs = await asyncio.gather(*(_timed(link, tools, guard_of) for link in links))
    return [
        fact
        for link, (output, timing) in zip(links, outputs, strict=True)
        for fact in _facts(link, output, timing, record)
    ]


async def _timed(link: ToolLink, tools: Toolbox, guard_of: GuardOf) -> tuple[str | ToolError | None, Timing]:
    began = now()
    return await _output(link, tools, guard_of), Timing.since(began)


async def _output(link: ToolLink, tools: Toolbox, guard_of: GuardOf) -> str | ToolError | None:
    """What the tool says, why it says nothing, or None where there is no such tool."""
    tool = tools.tool(link.tool_name)
    if tool is None:
        return None
    guard = guard_of(link, tool)
    if guard.policy != "auto":
        return ToolFailedError(NOT_ALLOWED[guard.policy])
    try:
        return await guard.call(tool, link.arguments, "prefetch")
    except ToolError as error:
        return error


def _facts(link: ToolLink, output: str | ToolError | None, timing: Timing, record: Record) -> list[Fact]:
    name = link.tool_name
    if output is None:
        record.warnings.append(unknown_tool(name))
        return []
    if isinstance(output, ToolError):
        text = f"the tool {name} failed: {output}"
        record.warnings.append(f"{text[0].upper()}{text[1:]}.")
        record.transcript.add(_entry(link, text, timing, "failed"))
        return [Fact(text, is_failure=True)]
    record.transcript.add(_entry(link, f"{name}: {output}", timing, "success"))
    return [Fact(text) for text in facts_of(output)]


def _entry(link: ToolLink, text: str, timing: Timing, status: CallStatus) -> Entry:
    return entry(
        "tool", text, timing, tool_name=link.tool_name, arguments=dict(link.arguments), status=status
    )


def unknown_tool(name: str) -> str:
    return (
        f"The tool {name!r} is linked to the agent, but this executor does not have it; "
        "the run went on without it."
    )
