"""An agent as it is configured: read fresh for every run, checked when it is read."""

from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

import msgspec
from msgspec import Struct

from rota_contracts.tools import Policy
from rota_executor.errors import InvalidConfigurationError


class Example(Struct, frozen=True):
    """A few-shot turn: what was asked and what a good answer is."""

    input: str
    output: str


class ToolLink(Struct, frozen=True, kw_only=True):
    """A tool of the agent: the model calls it (`model`), or it runs before the model (`prefetch`)."""

    tool_name: str
    mode: Literal["model", "prefetch"] = "model"
    # None: what the tool's annotation says.
    policy: Policy | None = None
    arguments: dict[str, Any] = {}


REPORT_OUTCOME = "report_outcome"


class Limits(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Bounds of one run, checked before each request to the model."""

    request_limit: int | None = 50
    tool_calls_limit: int | None = None
    input_tokens_limit: int | None = None
    output_tokens_limit: int | None = None
    total_tokens_limit: int | None = None
    # US dollars.
    cost_limit: Decimal | None = None
    # The same tool, called with the same arguments.
    repeated_calls_limit: int | None = 5

    @property
    def has_token_limit(self) -> bool:
        limits = (self.input_tokens_limit, self.output_tokens_limit, self.total_tokens_limit)
        return any(limit is not None for limit in limits)


class Agent(Struct, frozen=True, kw_only=True):
    id: UUID
    name: str
    model: str
    system_prompt: str
    fallback_models: list[str] = []
    model_settings: dict[str, Any] = {}
    examples: list[Example] = []
    style: Literal["conversation", "per_fact"] = "conversation"
    grounding: Literal["none", "numbers"] = "none"
    limits: Limits = Limits()
    revision: int = 1
    tools: list[ToolLink] = []

    def tool_names(self) -> list[str]:
        return [link.tool_name for link in self.tools]

    def links(self, mode: Literal["model", "prefetch"]) -> list[ToolLink]:
        return [link for link in self.tools if link.mode == mode]

    def offered(self) -> list[ToolLink]:
        """The tools that its model may call: those linked, and the one that reports the outcome.

        That one is left out where a link denies it, where what the model must call is settled, where its
        limits leave no room for a call, and of models that run on this machine: the embedded one calls no
        tool by itself.
        """
        linked = [
            link for link in self.links("model") if (link.tool_name, link.policy) != (REPORT_OUTCOME, "deny")
        ]
        is_linked = any(link.tool_name == REPORT_OUTCOME for link in self.tools)
        is_local = any(name.startswith("local:") for name in (self.model, *self.fallback_models))
        has_room = self.limits.request_limit != 1 and self.limits.tool_calls_limit != 0
        if is_linked or is_local or not has_room or self.model_settings.get("tool_choice", "auto") != "auto":
            return linked
        return [*linked, ToolLink(tool_name=REPORT_OUTCOME)]


def parse(document: str) -> Agent:
    """The agent that a JSON document describes.

    Raises:
        InvalidConfigurationError: a field has another form than the executor understands; says which.

    """
    try:
        return msgspec.json.decode(document, type=Agent)
    except msgspec.ValidationError as error:
        raise InvalidConfigurationError(
            f"The configuration of the agent cannot be used: {error}. Correct the agent."
        ) from error
