"""The one wrapper that every tool of an agent goes through: policy, lease, time limit, errors.

A tool that needs approval is not executed: the run ends with the call as a pending action.
"""

import asyncio
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from pydantic_ai import RunContext
from pydantic_ai import Tool as AgentTool
from pydantic_ai.exceptions import ApprovalRequired, CallDeferred, ModelRetry, ToolFailed
from pydantic_ai.toolsets import FunctionToolset, ToolsetTool, WrapperToolset

from rota_contracts.tools import Policy, ToolDescription
from rota_executor.adapters.failures import reason
from rota_executor.adapters.registry import Tool
from rota_executor.errors import LeaseLostError, ToolFailedError


class Authority(Protocol):
    """Part of the wrapping of every tool: what surrounds each call raises when the run is no longer ours."""

    def call(self, tool: ToolDescription, call_id: str) -> AbstractAsyncContextManager[None]: ...


@dataclass(frozen=True)
class Guard:
    """How a tool may be used in this run."""

    policy: Policy
    authority: Authority
    timeout_seconds: float

    async def call(self, tool: Tool, arguments: Mapping[str, Any]) -> str:
        """Runs the tool, for a prefetch.

        Raises:
            ToolFailedError: it is not allowed, took too long or failed; says why.

        """
        if self.policy != "auto":
            raise ToolFailedError("it is not allowed")
        try:
            async with (
                asyncio.timeout(self.timeout_seconds),
                self.authority.call(tool.description, "prefetch"),
            ):
                return await tool.run(arguments)
        except TimeoutError:
            raise ToolFailedError(f"it did not answer within {self.timeout_seconds:g} s") from None
        except LeaseLostError:
            raise
        except Exception as error:
            raise ToolFailedError(reason(error)) from error


@dataclass
class ApprovalToolset(WrapperToolset[None]):
    """Asks the guard before each call, and tells the model what became of it."""

    guard: Guard
    description: ToolDescription

    async def call_tool(
        self, name: str, tool_args: dict[str, Any], ctx: RunContext[None], tool: ToolsetTool[None]
    ) -> Any:
        if self.guard.policy == "deny":
            raise ToolFailed(f"The tool {name!r} is not allowed for this agent. Go on without it.")
        if self.guard.policy == "ask" and not ctx.tool_call_approved:
            raise ApprovalRequired
        call_id = ctx.tool_call_id or name
        try:
            async with (
                asyncio.timeout(self.guard.timeout_seconds),
                self.guard.authority.call(self.description, call_id),
            ):
                return await super().call_tool(name, tool_args, ctx, tool)
        except (ApprovalRequired, CallDeferred, ModelRetry, ToolFailed, LeaseLostError):
            raise
        except TimeoutError:
            raise ToolFailed(
                f"The tool {name!r} did not answer within {self.guard.timeout_seconds:g} s."
            ) from None
        except Exception as error:
            raise ToolFailed(f"The tool {name!r} failed: {reason(error)}") from error


def wrapped(tool: Tool, guard: Guard) -> ApprovalToolset:
    """The tool as an agent gets it."""

    async def call(**arguments: Any) -> str:
        return await tool.run(arguments)

    description = tool.description
    agent_tool = AgentTool[None].from_schema(
        call, description.name, description.description, description.parameters
    )
    return ApprovalToolset(FunctionToolset([agent_tool]), guard, description)
