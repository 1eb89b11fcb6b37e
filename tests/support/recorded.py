"""Tools that record when they begin and end: a plug-in of the executor, and what it wrote.

Whether two executions overlap is measured with it, not concluded from what the ledger says.
"""

import asyncio
import functools
import json
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import structlog
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart, ToolReturnPart
from pydantic_ai.models.function import AgentInfo, FunctionModel

from rota_contracts.tools import ToolDescription
from rota_executor.adapters.registry import Registry
from rota_executor.calls import ToolCall

FILE = "ROTA_TEST_RECORDS"
READS, WRITES = "recorded", "recorded_write"


def register(registry: Registry) -> None:
    registry.add_tool(_description(READS, "read"), functools.partial(work, READS))
    registry.add_tool(_description(WRITES, "write"), functools.partial(work, WRITES))
    registry.add_models("recorded", model)


def _description(name: str, effect: Literal["read", "write"]) -> ToolDescription:
    properties = {"seconds": {"type": "number"}, "failures": {"type": "integer"}, "says": {"type": "string"}}
    return ToolDescription(
        name=name,
        description="Takes some time and leaves a record.",
        effect=effect,
        parameters={"type": "object", "properties": properties},
    )


async def work(tool: str, arguments: Mapping[str, Any], call: ToolCall) -> str:
    """Sleeps `seconds`, fails in the first `failures` attempts, answers with `says`."""
    about = {**structlog.contextvars.get_contextvars(), "tool": tool}
    _write(about, "begin")
    try:
        await asyncio.sleep(arguments.get("seconds", 0))
    except asyncio.CancelledError:
        _write(about, "stopped")
        raise
    if about["attempt"] <= arguments.get("failures", 0):
        _write(about, "failed")
        raise RuntimeError("it was told to fail")
    _write(about, "ended")
    return str(arguments.get("says", "done"))


def model(script: str) -> FunctionModel:
    """`recorded:<tool>:<before>:<after>` waits some seconds, calls the tool, waits again, answers."""
    tool, before, after = script.split(":")

    async def answer(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        is_called = any(isinstance(part, ToolReturnPart) for message in messages for part in message.parts)
        await asyncio.sleep(float(after if is_called else before))
        return ModelResponse(parts=[TextPart("done") if is_called else ToolCallPart(tool, {})])

    return FunctionModel(answer, model_name=script)


def _write(about: Mapping[str, Any], what: str) -> None:
    """One line, appended in one call: whole also when the process is killed right after."""
    line = {**about, "what": what, "at": time.monotonic(), "pid": os.getpid()}
    file = os.open(os.environ[FILE], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(file, json.dumps(line).encode() + b"\n")
    finally:
        os.close(file)


How = Literal["ended", "failed", "stopped", "died", "running"]


@dataclass(frozen=True)
class Execution:
    """One call of a recorded tool, on the clock that all processes share."""

    tool: str
    run_id: str
    context_id: str
    attempt: int
    begin: float
    end: float
    how: How


def executions(file: Path, deaths: Mapping[int, float]) -> list[Execution]:
    """All calls, oldest first; one that a killed process left open ended with the process."""
    if not file.exists():
        return []
    found: dict[tuple[str, int, int], Execution] = {}
    for line in map(json.loads, file.read_text().splitlines()):
        key = (line["run_id"], line["attempt"], line["pid"])
        begin = found[key].begin if key in found else line["at"]
        how: How = line["what"]
        end = line["at"]
        if line["what"] == "begin":
            assert key not in found, f"begun twice in one process: {line}"
            how = "died" if line["pid"] in deaths else "running"
            end = deaths.get(line["pid"], float("inf"))
        about = {name: line[name] for name in ("tool", "run_id", "context_id", "attempt")}
        found[key] = Execution(**about, begin=begin, end=end, how=how)
    return sorted(found.values(), key=lambda one: one.begin)


def overlapping(calls: Sequence[Execution]) -> list[tuple[Execution, Execution]]:
    """Pairs of executions of one run of which the second began before the first was over."""
    last: dict[str, Execution] = {}
    pairs = []
    for call in calls:
        before = last.get(call.run_id)
        if before and call.begin < before.end:
            pairs.append((before, call))
        if before is None or call.end > before.end:
            last[call.run_id] = call
    return pairs


def most_at_once(calls: Sequence[Execution]) -> int:
    """How many executions there were at the busiest moment."""
    steps = sorted([(call.begin, 1) for call in calls] + [(call.end, -1) for call in calls])
    busiest = running = 0
    for _, step in steps:
        running += step
        busiest = max(busiest, running)
    return busiest
