"""What surrounds each call of a tool."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Any
from uuid import uuid4

import pytest
from pydantic_ai.exceptions import ModelRetry

from rota_contracts.tools import Policy, ToolDescription
from rota_executor.adapters.approval import MAX_OUTPUT, Guard
from rota_executor.adapters.registry import Tool, ToolFunction
from rota_executor.calls import ToolCall
from rota_executor.errors import LeaseLostError, ToolFailedError, ToolRefusedError


class Allowing:
    """Notes what is called, and lets it be."""

    def __init__(self) -> None:
        self.called: list[str] = []

    def about(self, call_id: str) -> ToolCall:
        raise AssertionError(call_id)

    @contextlib.asynccontextmanager
    async def call(
        self, tool: ToolDescription, arguments: Mapping[str, Any], call_id: str
    ) -> AsyncIterator[ToolCall]:
        self.called.append(tool.name)
        yield ToolCall(uuid4(), uuid4(), uuid4(), call_id)

    @property
    def is_rehearsal(self) -> bool:
        return False

    async def rehearsed(
        self, tool: ToolDescription, policy: Policy, arguments: Mapping[str, Any]
    ) -> str | None:
        return None

    def is_done(self, tool: ToolDescription, arguments: Mapping[str, Any]) -> bool:
        return False

    def is_in_doubt(self, tool: ToolDescription) -> bool:
        return False

    async def is_granted(self, tool: ToolDescription, arguments: Mapping[str, Any], call_id: str) -> bool:
        return False


def a_tool(run: ToolFunction) -> Tool:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}}
    return Tool(ToolDescription(name="tool", description="T.", effect="read", parameters=schema), run)


async def called(run: ToolFunction, *, seconds: float | None = 5, **arguments: Any) -> str:
    return await Guard("auto", Allowing(), seconds).call(a_tool(run), arguments, "the-call")


async def test_a_tool_is_told_for_whom_it_is_called() -> None:
    async def run(arguments: Mapping[str, Any], call: ToolCall) -> str:
        return call.idempotency_key.removeprefix(str(call.run_id))

    assert await called(run) == "/the-call"


async def test_an_endless_output_is_cut_and_says_so() -> None:
    async def run(arguments: Mapping[str, Any], call: ToolCall) -> str:
        return "x" * int(arguments["n"])

    assert await called(run, n=MAX_OUTPUT) == "x" * MAX_OUTPUT
    cut = await called(run, n=MAX_OUTPUT + 1)
    assert cut == "x" * MAX_OUTPUT + f"\n(cut: the first {MAX_OUTPUT} of {MAX_OUTPUT + 1} characters)"


async def test_wrong_arguments_never_reach_the_tool() -> None:
    async def run(arguments: Mapping[str, Any], call: ToolCall) -> str:
        raise AssertionError("it was called")

    allowing = Allowing()
    with pytest.raises(ToolRefusedError, match="its arguments are wrong: n: 'one' is not of type 'integer'"):
        await Guard("auto", allowing, 5).call(a_tool(run), {"n": "one"}, "c")
    assert allowing.called == []


async def test_a_timeout_of_the_tools_own_is_no_timeout_of_the_call() -> None:
    async def own(arguments: Mapping[str, Any], call: ToolCall) -> str:
        raise TimeoutError("the pump is slow")

    async def endless(arguments: Mapping[str, Any], call: ToolCall) -> str:
        await asyncio.Event().wait()
        return ""

    with pytest.raises(ToolFailedError, match=r"^the pump is slow$"):
        await called(own)
    with pytest.raises(ToolFailedError, match=r"^it did not answer within 0\.01 s$"):
        await called(endless, seconds=0.01)


async def test_a_lost_lease_is_no_failure_of_the_tool() -> None:
    async def run(arguments: Mapping[str, Any], call: ToolCall) -> str:
        raise LeaseLostError("gone")

    with pytest.raises(LeaseLostError):
        await called(run)


async def test_what_a_tool_raises_for_the_runtime_is_kept_as_the_cause() -> None:
    async def run(arguments: Mapping[str, Any], call: ToolCall) -> str:
        raise ModelRetry("say it in Latin")

    with pytest.raises(ToolFailedError, match="say it in Latin") as caught:
        await called(run)
    assert isinstance(caught.value.__cause__, ModelRetry)
