"""What the two styles of running an agent share: the agent, its model, its tools, the record of the run."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from pydantic_ai.models import Model
from pydantic_ai.settings import ModelSettings
from pydantic_ai.toolsets import AbstractToolset
from pydantic_ai.usage import RunUsage, UsageLimits

from rota_contracts.events import Usage
from rota_executor.adapters.prefetch import Fact
from rota_executor.agent import Agent
from rota_executor.domain import Record
from rota_executor.resumption import Resumption


@dataclass
class Session:
    agent: Agent
    model: Model
    record: Record
    prompt: str = ""
    facts: Sequence[Fact] = ()
    toolsets: Sequence[AbstractToolset[None]] = ()
    spent: RunUsage = field(default_factory=RunUsage)
    # Of a run that waited for a person, and goes on.
    resumption: Resumption | None = None

    @property
    def settings(self) -> ModelSettings:
        settings = ModelSettings()
        settings.update(self.agent.model_settings)  # type: ignore[typeddict-item]  # as configured, keys of any provider
        return settings

    @property
    def limits(self) -> UsageLimits:
        limits = self.agent.limits
        return UsageLimits(
            request_limit=limits.request_limit,
            tool_calls_limit=limits.tool_calls_limit,
            input_tokens_limit=limits.input_tokens_limit,
            output_tokens_limit=limits.output_tokens_limit,
            total_tokens_limit=limits.total_tokens_limit,
        )

    def note_usage(self) -> None:
        """Keeps in the record what was spent, also when the run then fails."""
        self.record.usage = Usage(
            requests=self.spent.requests,
            input_tokens=self.spent.input_tokens,
            output_tokens=self.spent.output_tokens,
            tool_calls=self.spent.tool_calls,
        )

    def note_model(self, answered: str | None) -> None:
        """Keeps which of the configured models answered."""
        names = [self.agent.model, *self.agent.fallback_models]
        by = [name for name in names if answered and name.partition(":")[2] == answered]
        self.record.model = (by or names)[0]
