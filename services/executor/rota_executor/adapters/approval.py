"""The one wrapper that every tool goes through: policy, arguments, lease, time limit, errors.

A tool that needs approval is not executed: the run ends with the call as a pending action.
"""

import asyncio
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from pydantic_ai import RunContext
from pydantic_ai.exceptions import ApprovalRequired, CallDeferred, ModelRetry, ToolFailed
from pydantic_ai.tools import ToolDefinition
from pydantic_ai.toolsets import AbstractToolset, ToolsetTool
from pydantic_core import SchemaValidator, core_schema

from rota_chassis.redaction import Redactor
from rota_contracts.tools import Policy, ToolDescription
from rota_executor.adapters.failures import reason
from rota_executor.adapters.registry import Tool
from rota_executor.calls import AnsweredError, RefusedError, ToolCall
from rota_executor.errors import LeaseLostError, ToolError, ToolFailedError, ToolRefusedError
from rota_executor.settled import DONE_BEFORE

# Characters that a model is handed of one output.
MAX_OUTPUT = 100_000
TRIES = 3
BY_NAME = SchemaValidator(core_schema.dict_schema(core_schema.str_schema()))
# What tools raise to steer the agent runtime.
SIGNALS = (ApprovalRequired, CallDeferred, ModelRetry, ToolFailed)


class Authority(Protocol):
    """Part of the wrapping of every tool: what surrounds each call raises when the run is no longer ours."""

    def call(
        self, tool: ToolDescription, arguments: Mapping[str, Any], call_id: str
    ) -> AbstractAsyncContextManager[ToolCall]: ...

    @property
    def is_rehearsal(self) -> bool: ...

    async def rehearsed(
        self, tool: ToolDescription, policy: Policy, arguments: Mapping[str, Any]
    ) -> str | None: ...

    def is_done(self, tool: ToolDescription, arguments: Mapping[str, Any]) -> bool: ...

    def is_in_doubt(self, tool: ToolDescription) -> bool: ...

    async def is_granted(self, tool: ToolDescription, arguments: Mapping[str, Any], call_id: str) -> bool: ...

    def about(self, call_id: str) -> ToolCall:
        """Of what is done for the run, outside of any call of a tool."""
        ...


@dataclass(frozen=True)
class Guard:
    """How a tool may be used in this run. Without a timeout whoever calls limits how long it may take."""

    policy: Policy
    authority: Authority
    timeout_seconds: float | None

    async def may_call(self, tool: Tool, arguments: Mapping[str, Any], call_id: str) -> bool:
        """Whether a call that nobody approved may be made: by the policy, else by a standing grant.

        Neither knew of an interruption. In a dry run nobody is asked: `call` writes it down.
        """
        if self.authority.is_rehearsal:
            return True
        if self.authority.is_in_doubt(tool.description):
            return False
        if self.policy == "ask":
            return await self.authority.is_granted(tool.description, arguments, call_id)
        return self.policy == "auto"

    async def call(self, tool: Tool, arguments: Mapping[str, Any], call_id: str) -> str:
        """Calls the tool, whatever the policy: the only way to one.

        Raises:
            ToolError: the arguments are wrong, it took too long, failed or was refused; says why.
            LeaseLostError: the run is no longer held; the tool was not called.

        """
        if problem := tool.problem(arguments):
            raise ToolRefusedError(f"its arguments are wrong: {problem}")
        if (told := await self.authority.rehearsed(tool.description, self.policy, arguments)) is not None:
            return told
        hidden = Redactor()
        try:
            async with (
                asyncio.timeout(self.timeout_seconds) as limit,
                self.authority.call(tool.description, arguments, call_id) as call,
            ):
                hidden = call.hidden
                return _cut(hidden(await tool.run(arguments, call)))
        except LeaseLostError:
            raise
        except Exception as error:
            if isinstance(error, TimeoutError) and limit.expired():
                raise ToolFailedError(f"it did not answer within {self.timeout_seconds:g} s") from None
            if isinstance(error, ModelRetry | ToolFailed):
                error.message = hidden(error.message)
            kind = ToolRefusedError if isinstance(error, RefusedError) else ToolFailedError
            answer = _cut(hidden(error.answer)) if isinstance(error, AnsweredError) else ""
            raise kind(reason(error, hidden), answer) from error


@dataclass
class ApprovalToolset(AbstractToolset[None]):
    """One tool behind its guard, as the agent runtime takes it; tells the model what became of each call."""

    tool: Tool
    guard: Guard

    @property
    def id(self) -> str | None:
        return None

    async def get_tools(self, ctx: RunContext[None]) -> dict[str, ToolsetTool[None]]:  # noqa: ARG002  as all toolsets have it
        description = self.tool.description
        definition = ToolDefinition(
            name=description.name,
            description=description.description,
            parameters_json_schema=description.parameters,
        )
        return {
            description.name: ToolsetTool(
                toolset=self, tool_def=definition, max_retries=TRIES, args_validator=BY_NAME
            )
        }

    async def call_tool(
        self,
        name: str,
        tool_args: dict[str, Any],
        ctx: RunContext[None],
        tool: ToolsetTool[None],  # noqa: ARG002  as above
    ) -> Any:
        if self.guard.policy == "deny":
            await self.guard.authority.rehearsed(self.tool.description, "deny", tool_args)
            raise ToolFailed(f"The tool {name!r} is not allowed for this agent. Go on without it.")
        if self.guard.authority.is_done(self.tool.description, tool_args):
            return DONE_BEFORE
        call_id = ctx.tool_call_id or name
        if not (ctx.tool_call_approved or await self.guard.may_call(self.tool, tool_args, call_id)):
            raise ApprovalRequired
        try:
            return await self.guard.call(self.tool, tool_args, call_id)
        except ToolError as error:
            if isinstance(error.__cause__, SIGNALS):
                raise error.__cause__ from None
            # Not from the error: spans tell of all that stands behind one, and that may hold a secret.
            raise ToolFailed(f"The tool {name!r} failed: {error.answer or error}") from None


def wrapped(tool: Tool, guard: Guard) -> ApprovalToolset:
    """The tool as an agent gets it."""
    return ApprovalToolset(tool, guard)


def _cut(output: str) -> str:
    if len(output) <= MAX_OUTPUT:
        return output
    return f"{output[:MAX_OUTPUT]}\n(cut: the first {MAX_OUTPUT} of {len(output)} characters)"
