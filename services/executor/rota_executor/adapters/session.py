"""What the two styles of running an agent share: the agent, its model, its tools, the record of the run."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from pydantic_ai import RunContext
from pydantic_ai.capabilities import AgentCapability
from pydantic_ai.messages import ModelMessage, ToolReturnPart, UserPromptPart
from pydantic_ai.models import Model
from pydantic_ai.settings import ModelSettings, ToolChoice
from pydantic_ai.tools import ToolDefinition
from pydantic_ai.toolsets import AbstractToolset
from pydantic_ai.usage import RunUsage, UsageLimits

from rota_contracts.values import Usage
from rota_executor.adapters.limits import usage_limits
from rota_executor.adapters.metering import Meter
from rota_executor.adapters.prefetch import Fact
from rota_executor.agent import Agent
from rota_executor.domain import Record
from rota_executor.resumption import Resumption

FREE_CHOICES = (None, "auto", "none")


def has_called(messages: Sequence[ModelMessage]) -> bool:
    """Whether a tool has answered since people were last listened to."""
    parts = [part for message in messages for part in message.parts]
    asked = max((place for place, part in enumerate(parts) if isinstance(part, UserPromptPart)), default=0)
    return any(isinstance(part, ToolReturnPart) for part in parts[asked:])


@dataclass
class Session:
    agent: Agent
    model: Model
    record: Record
    meter: Meter
    prompt: str = ""
    facts: Sequence[Fact] = ()
    toolsets: Sequence[AbstractToolset[None]] = ()
    spent: RunUsage = field(default_factory=RunUsage)
    # What the agent runtime does beside running it: spans.
    capabilities: Sequence[AgentCapability[None]] = ()
    # Of a run that waited for a person, and goes on.
    resumption: Resumption | None = None

    @property
    def settings(self) -> ModelSettings:
        settings = ModelSettings()
        settings.update(self.agent.model_settings)  # type: ignore[typeddict-item]  # as configured, keys of any provider
        return settings

    def settings_of(self, context: RunContext[None]) -> ModelSettings:
        """Those of one request: a call that is demanded is demanded once, else no run would end.

        After one of the tools that were named the model answers: a small one would call it again and again.
        """
        settings = self.settings
        demanded = settings.get("tool_choice")
        if demanded not in FREE_CHOICES:
            after: ToolChoice = "none" if isinstance(demanded, list) else "auto"
            settings["tool_choice"] = after if has_called(context.messages) else "required"
        return settings

    def is_offered(self, context: RunContext[None], tool: ToolDefinition) -> bool:
        """Where one of some tools is demanded, only those: few servers of models take names."""
        demanded = self.agent.model_settings.get("tool_choice")
        return not isinstance(demanded, list) or tool.name in demanded or has_called(context.messages)

    @property
    def limits(self) -> UsageLimits:
        return usage_limits(self.agent.limits)

    def note_usage(self) -> None:
        """Keeps in the record what was spent, also when the run then fails."""
        self.record.usage = Usage(
            requests=self.spent.requests,
            input_tokens=self.spent.input_tokens,
            output_tokens=self.spent.output_tokens,
            tool_calls=self.spent.tool_calls,
            cost_usd=self.meter.cost_usd,
            unpriced_requests=self.meter.unpriced_requests,
        )

    def note_model(self) -> None:
        """Keeps which of the configured models answered."""
        self.record.model = self.meter.answered or self.agent.model
