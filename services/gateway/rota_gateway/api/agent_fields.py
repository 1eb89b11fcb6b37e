"""An agent as people define it: the fields and their bounds. What must fit together is in domain.agents."""

import re
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainSerializer, model_validator

from rota_gateway.api.fields import (
    Description,
    Dollars,
    ExpiryAction,
    ExpirySeconds,
    Input,
    JsonObject,
    Label,
    Line,
    Name,
    Patch,
    Trimmed,
    plain_json,
    small,
    text,
    without_defaults,
)

MODEL = re.compile(r"[a-z0-9][a-z0-9_./-]*:\S(?:.*\S)?")
# What providers add to the settings that all have begins with their name.
PROVIDER_SETTING = re.compile(
    r"(anthropic|bedrock|cerebras|cohere|google|groq|huggingface|mistral|ollama|openai|openrouter|snowflake|xai|zai)"
    r"_[a-z0-9_]+"
)


def _model(value: str) -> str:
    if not MODEL.fullmatch(value):
        raise ValueError(
            "must be provider:model, like anthropic:claude-sonnet-5-5, openai:gpt-6-luna, ollama:qwen3 "
            "or local:smollm2"
        )
    return value


Model = Annotated[
    str, Field(min_length=3, max_length=255, description="provider:model"), Trimmed, AfterValidator(_model)
]
Fallbacks = Annotated[
    list[Model], Field(max_length=5, description="asked in turn when the model fails, each in the same run")
]
SystemPrompt = Annotated[str, Field(max_length=50_000), AfterValidator(text)]
Turn = Annotated[str, Field(min_length=1, max_length=5_000), AfterValidator(text)]
ConcurrentRuns = Annotated[
    int, Field(ge=1, le=1_000, description="at most so many runs of it at once, in each context")
]
Style = Annotated[
    Literal["conversation", "per_fact"],
    Field(
        description="conversation: one exchange about the prompt, in which the model calls tools; "
        "per_fact: one exchange for each fact of the prefetched tools, for very small models"
    ),
]
Grounding = Annotated[
    Literal["none", "numbers"],
    Field(description="numbers: each number of the answer must stand in the prompt or in what a tool said"),
]
Limit = Annotated[int, Field(ge=1, le=1_000_000_000)]
Repeated = Annotated[int, Field(ge=2, le=1_000_000)]


class Example(Input):
    """A turn that the model is shown before: what is asked, and a good answer."""

    input: Turn
    output: Turn


class ToolLink(Input):
    tool_name: Label
    mode: Literal["model", "prefetch"] = Field(
        default="model", description="model: the model may call it; prefetch: it runs before the model"
    )
    policy: Literal["auto", "ask", "deny"] | None = Field(
        default=None,
        description="auto: it runs; ask: a person decides about each call; deny: it is refused. "
        "Without one: auto for a tool that only reads, ask for one that writes",
    )
    arguments: JsonObject = Field(default={}, description="of mode prefetch, as its JSON Schema wants them")


class Limits(Input):
    """Of one run, checked before each request to the model; null: none. Left out: as documented."""

    request_limit: Limit | None = Field(default=50, description="requests to the model")
    tool_calls_limit: Limit | None = None
    input_tokens_limit: Limit | None = None
    output_tokens_limit: Limit | None = None
    total_tokens_limit: Limit | None = None
    cost_limit: Dollars | None = Field(
        default=None,
        description="US dollars; a model whose price nobody knows needs a limit of tokens beside it",
    )
    repeated_calls_limit: Repeated | None = Field(
        default=5, description="so many calls of one tool with the same arguments end the run"
    )


class ModelSettings(BaseModel):
    """Those that all providers share; one of a provider's own begins with its name, like openai_user."""

    model_config = ConfigDict(extra="allow", strict=True, json_schema_extra=without_defaults)

    max_tokens: Annotated[int, Field(ge=1, le=10_000_000)] = 1
    temperature: Annotated[float, Field(ge=0, le=2)] = 0
    top_p: Annotated[float, Field(gt=0, le=1)] = 1
    top_k: Annotated[int, Field(ge=1, le=1_000_000)] = 1
    timeout: Annotated[float, Field(gt=0, le=3600, description="seconds of one request")] = 1
    parallel_tool_calls: bool = True
    tool_choice: Literal["auto", "none", "required"] | list[Label] = Field(
        default="auto",
        description="required: a tool is called before the model may answer; names of tools: one of them is "
        "called, then the model answers without",
    )
    seed: Annotated[int, Field(ge=-(2**63), lt=2**63)] = 0
    presence_penalty: Annotated[float, Field(ge=-2, le=2)] = 0
    frequency_penalty: Annotated[float, Field(ge=-2, le=2)] = 0
    logit_bias: dict[str, Annotated[int, Field(ge=-100, le=100)]] = Field(default={})
    stop_sequences: Annotated[list[Line], Field(max_length=16)] = Field(default=[])
    thinking: bool | Literal["minimal", "low", "medium", "high", "xhigh", "max"] = False
    cache: bool | Literal["5m", "30m", "1h", "12h"] = False
    service_tier: Literal["auto", "default", "flex", "priority"] = "auto"
    extra_body: JsonObject = Field(default={}, description="added to each request as it is")

    @model_validator(mode="after")
    def _known(self) -> "ModelSettings":
        more = self.model_extra or {}
        if "extra_headers" in more:
            raise ValueError(
                "extra_headers cannot be set: keys would lie in the open; "
                "a provider's key belongs into the environment of the executor"
            )
        for name in more:
            if not PROVIDER_SETTING.fullmatch(name):
                known = ", ".join(sorted(type(self).model_fields))
                raise ValueError(
                    f"there is no setting {name!r}; there are {known}, "
                    "and a provider's own, which begin with its name, like openai_user"
                )
        plain_json(more)
        small(given(self))
        return self


def given(value: BaseModel) -> dict[str, Any]:
    """What was said and no default: those are the executor's, or the provider's."""
    return value.model_dump(exclude_unset=True)


ContextId = Annotated[UUID, Field(strict=False)]
Settings = Annotated[ModelSettings, PlainSerializer(given)]
RunLimits = Annotated[Limits, PlainSerializer(given)]
Examples = Annotated[list[Example], Field(max_length=20)]
Links = Annotated[list[ToolLink], Field(max_length=100)]


class AgentInput(Input):
    """A new agent."""

    name: Name
    context_id: ContextId | None = Field(
        default=None, description="none: for every context, which only an administrator may say"
    )
    description: Description = ""
    model: Model
    fallback_models: Fallbacks = Field(default=[])
    system_prompt: SystemPrompt = ""
    model_settings: Settings = Field(default_factory=ModelSettings)
    examples: Examples = Field(default=[])
    style: Style = "conversation"
    grounding: Grounding = "none"
    limits: RunLimits = Field(default_factory=Limits)
    max_concurrent_runs: ConcurrentRuns | None = None
    approval_expiry_seconds: ExpirySeconds | None = None
    approval_expiry_action: ExpiryAction | None = None
    tools: Links = Field(default=[])


class AgentPatch(Patch):
    """What changes; lists and objects are replaced whole."""

    revision: int | None = Field(
        default=None, description="the one that you saw: the change is refused when it is another by now"
    )
    description: Description = ""
    model: Model = ""
    fallback_models: Fallbacks = Field(default=[])
    system_prompt: SystemPrompt = ""
    model_settings: Settings = Field(default_factory=ModelSettings)
    examples: Examples = Field(default=[])
    style: Style = "conversation"
    grounding: Grounding = "none"
    limits: RunLimits = Field(default_factory=Limits)
    max_concurrent_runs: ConcurrentRuns | None = None
    approval_expiry_seconds: ExpirySeconds | None = None
    approval_expiry_action: ExpiryAction | None = None
    tools: Links = Field(default=[])
