"""Runs an agent: its model, its tools behind the approval wrapper, its style. Built anew for every run."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic_ai.models import Model
from pydantic_ai.toolsets import AbstractToolset

from rota_chassis import logs
from rota_contracts.values import Usage
from rota_executor.adapters import approval, failures
from rota_executor.adapters.approval import Authority, Guard
from rota_executor.adapters.conversation import converse
from rota_executor.adapters.metering import Meter
from rota_executor.adapters.models import Models
from rota_executor.adapters.per_fact import write_report
from rota_executor.adapters.prefetch import GuardOf, prefetched, unknown_tool
from rota_executor.adapters.registry import Tool
from rota_executor.adapters.repetition import counted
from rota_executor.adapters.session import Session
from rota_executor.adapters.toolbox import Toolbox, Toolboxes
from rota_executor.adapters.tracing import Tracing
from rota_executor.adapters.transcript import entry
from rota_executor.agent import Agent, ToolLink
from rota_executor.calls import Credentials, NoCredentials
from rota_executor.domain import Outcome, Record
from rota_executor.errors import InternalRunError, InvalidConfigurationError, ToolError
from rota_executor.resumption import Resumption
from rota_executor.spending import Spending

log = logs.logger(__name__)


@dataclass(frozen=True)
class Runtime:
    toolboxes: Toolboxes
    models: Models
    tool_timeout_seconds: float
    credentials: Credentials = NoCredentials()  # noqa: RUF009  it holds nothing
    tracing: Tracing = Tracing()  # noqa: RUF009  as above

    async def run(
        self,
        agent: Agent,
        begin: str | Resumption,
        record: Record,
        authority: Authority,
        spending: Spending,
    ) -> Outcome:
        """The answer of the agent: to a prompt, or to what was decided on the calls that it waited for.

        Raises:
            RunError: there is none; the message is for people.

        """
        record.model, record.agent_id, record.agent_revision = agent.model, agent.id, agent.revision
        if agent.system_prompt:
            record.transcript.add(entry("system", agent.system_prompt))
        model: Model | None = None
        try:
            meter = Meter(agent, self.models, spending, record)
            model, left_out = await self.models.model(
                agent.model, agent.fallback_models, metered=meter.metered
            )
            record.warnings += left_out
            async with self.toolboxes.opened(agent.tool_names(), authority.about("connect")) as tools:
                session = Session(agent, model, record, meter, capabilities=self.tracing.capabilities)
                return await self._answer(session, tools, begin, authority)
        except Exception as error:
            said = failures.run_error(error, agent.model, model)
            if isinstance(said, InternalRunError):
                log.error(  # noqa: TRY400  a traceback's message may hold a prompt
                    "an agent could not be run",
                    action="run_failed",
                    agent=agent.name,
                    error=type(error).__name__,
                    origin=failures.origin(error),
                )
            raise said from error

    async def call(
        self, name: str, arguments: Mapping[str, Any], record: Record, authority: Authority
    ) -> Outcome:
        """What a tool says, without a model. The caller limits how long it may take.

        Raises:
            RunError: there is no such tool, or its server cannot be reached.

        """
        if tool := self.toolboxes.registry.tool(name):
            return await self._call(tool, arguments, record, authority)
        async with self.toolboxes.opened([name], authority.about("connect")) as tools:
            if tool := tools.tool(name):
                return await self._call(tool, arguments, record, authority)
            known = ", ".join(tools.names())
            raise InvalidConfigurationError(f"There is no tool {name!r} here; there are: {known}.")

    async def _call(
        self, tool: Tool, arguments: Mapping[str, Any], record: Record, authority: Authority
    ) -> Outcome:
        record.usage = Usage(tool_calls=1)
        try:
            # Whoever made the job said that it is to be called, and how long it may take.
            return Outcome("success", await Guard("auto", authority, None).call(tool, arguments, "call"))
        except ToolError as error:
            told = f"The tool {tool.name!r} failed: {error}."
            return Outcome("error", error.answer, error_kind=error.kind, error_message=told)

    async def _answer(
        self, session: Session, tools: Toolbox, begin: str | Resumption, authority: Authority
    ) -> Outcome:
        agent, record = session.agent, session.record

        def guard_of(link: ToolLink, tool: Tool) -> Guard:
            own = tool.description.timeout_seconds
            return Guard(link.policy or tool.description.policy, authority, own or self.tool_timeout_seconds)

        if isinstance(begin, Resumption):
            session.resumption = begin
        else:
            session.prompt = begin
            session.facts = await prefetched(agent.links("prefetch"), tools, guard_of, record)
            if agent.style == "per_fact":
                return await write_report(session)
        toolsets = [
            toolset
            for link in agent.offered()
            if (toolset := _toolset(link, tools, guard_of, record)) is not None
        ]
        session.toolsets = counted(toolsets, agent.limits.repeated_calls_limit)
        return await converse(session)


def _toolset(
    link: ToolLink, tools: Toolbox, guard_of: GuardOf, record: Record
) -> AbstractToolset[None] | None:
    """The tool behind its guard; without it, the run goes on without the tool, never with a bare one."""
    tool = tools.tool(link.tool_name)
    if tool is None:
        record.warnings.append(unknown_tool(link.tool_name))
        return None
    try:
        return approval.wrapped(tool, guard_of(link, tool))
    except Exception as error:  # noqa: BLE001  whatever it is, the tool must not be used unwrapped
        log.warning(
            "a tool could not be wrapped",
            action="wrapping_failed",
            tool=link.tool_name,
            error=repr(error),
            origin=failures.origin(error),
        )
        record.warnings.append(
            f"The tool {link.tool_name!r} could not be put under approval "
            f"({failures.reason(error)}); the run went on without it."
        )
        return None
