"""A job as people define it: the fields and their bounds. What must fit together is in job_checks."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from rota_gateway.api.fields import (
    Description,
    ExpiryAction,
    ExpirySeconds,
    Input,
    JsonObject,
    Label,
    Line,
    Name,
    Patch,
    Prompt,
    is_email,
)
from rota_gateway.api.schedule_fields import Cron, Days, Gap, Moment, Repeat, ScheduleInput, Timezone

CHANNELS = ("email",)
MONTH_SECONDS = 31 * 86_400
NO_PROMPT = "must not be blank, unless the job calls a tool"


def _channel(value: str) -> str:
    if value not in CHANNELS:
        raise ValueError(f"is not available; available: {', '.join(CHANNELS)}")
    return value


def target_problem(channel: str | None, target: str | None) -> str | None:
    """Why this is no target for the channel; one is never without the other."""
    if channel is None:
        return None if target is None else "needs a notification_channel"
    if target is None:
        return "is missing: a channel needs a target"
    return None if is_email(target) else "is no email address: write it as name@example.com"


def _each_once(names: list[str]) -> list[str]:
    return list(dict.fromkeys(names))


Channel = Annotated[Line, AfterValidator(_channel), Field(description="email")]
Timeout = Annotated[int, Field(ge=30, le=3600, description="seconds after which a run is ended as an error")]
Retries = Annotated[int, Field(ge=0, le=10)]
Backoff = Annotated[
    Literal["fixed", "exponential"],
    Field(description="fixed: always retry_backoff_seconds; exponential: doubled each time"),
]
BackoffSeconds = Annotated[int, Field(ge=1, le=86_400)]
MaxRuns = Annotated[int, Field(ge=1, le=1_000_000_000, description="after so many runs it is over")]
Jitter = Annotated[
    int, Field(ge=0, le=86_400, description="each run starts up to so much later, the same for each instant")
]
Calendars = Annotated[
    list[Label],
    Field(max_length=20, description="names of calendars of the context: not due on their days"),
    AfterValidator(_each_once),
]
Overlap = Annotated[
    Literal["skip", "buffer_one", "allow", "cancel_other"],
    Field(description="what becomes of a due run while another one of the job is open"),
]
CatchUp = Annotated[
    Literal["latest", "all", "skip"],
    Field(description="after a downtime: the latest instant runs for all, all of them run, none runs"),
]
CatchUpWindow = Annotated[int, Field(ge=0, le=MONTH_SECONDS, description="what is older is missed")]
CatchUpRuns = Annotated[int, Field(ge=1, le=1_000, description="of catch_up_policy all")]
Priority = Annotated[int, Field(ge=1, le=9, description="within the context: 1 goes first, 9 last")]
QueueTtl = Annotated[int, Field(ge=1, le=MONTH_SECONDS, description="who has waited longer is missed")]
AutoPause = Annotated[int, Field(ge=1, le=10_000, description="paused after so many failures in a row")]
Tool = Annotated[Label, Field(description="instead of an agent: one call of this tool, without a model")]
Arguments = Annotated[JsonObject, Field(description="of the tool, as its JSON Schema wants them")]


Continuity = Annotated[
    Literal["none", "last_outcome", "last_n_outcomes", "conversation"],
    Field(description="what a run knows of those before it: nothing, outcomes, or one conversation goes on"),
]
ContinuityOutcomes = Annotated[int, Field(ge=1, le=20, description="of last_n_outcomes")]
ContinuityChars = Annotated[
    int, Field(ge=1_000, le=200_000, description="what is older than these characters is left out")
]


class _Job(Input):
    """What a new job and a change of one have alike; a default that only a new one has stands there."""

    name: Name = ""
    description: Description | None = None
    max_runs: MaxRuns | None = None
    jitter_seconds: Jitter = 0
    calendars: Calendars = Field(default=[])
    overlap_policy: Overlap = "skip"
    catch_up_policy: CatchUp = "latest"
    catch_up_window_seconds: CatchUpWindow = 3600
    catch_up_max_runs: CatchUpRuns = 100
    agent_name: Label = ""
    # Before the prompt, which may be blank beside it.
    tool: Tool | None = None
    arguments: Arguments = Field(default={})
    skill_prompt: Prompt = ""
    is_enabled: bool = True
    paused_until: Moment | None = Field(default=None, description="what is due before does not run")
    notification_channel: Channel | None = None
    notification_target: Line | None = None
    timeout_seconds: Timeout = 300
    max_retries: Retries = 0
    retry_backoff: Backoff = "fixed"
    retry_backoff_seconds: BackoffSeconds = 30
    retry_backoff_max_seconds: BackoffSeconds = 3600
    priority: Priority = 5
    queue_ttl_seconds: QueueTtl | None = None
    auto_pause_after: AutoPause | None = None
    continuity: Continuity = "none"
    continuity_outcomes: ContinuityOutcomes = 5
    continuity_max_chars: ContinuityChars = 20_000
    approval_expiry_seconds: ExpirySeconds | None = None
    approval_expiry_action: ExpiryAction | None = None


class JobInput(_Job, ScheduleInput):
    """A new job."""

    name: Name
    agent_name: Label = "orchestrator"
    skill_prompt: Annotated[Prompt, Field(validate_default=True)] = ""
    notification_target: Annotated[Line | None, Field(validate_default=True)] = None

    @field_validator("skill_prompt")
    @classmethod
    def _says_something(cls, prompt: str, info: ValidationInfo) -> str:
        if not prompt.strip() and info.data.get("tool", "unknown") is None:
            raise ValueError(NO_PROMPT)
        return prompt

    @field_validator("notification_target")
    @classmethod
    def _fits_channel(cls, target: str | None, info: ValidationInfo) -> str | None:
        """Told along with the fields that are wrong by themselves; a patch is paired with what is stored."""
        if "notification_channel" in info.data and (
            problem := target_problem(info.data["notification_channel"], target)
        ):
            raise ValueError(problem)
        return target


class JobPatch(_Job, Patch):
    """What is to change; null clears what may be empty."""

    # Not known here: six fields are checked together with what is stored.
    seconds_field: bool = True
    cron_expression: Cron = ""
    timezone: Timezone = ""
    dst_gap: Gap = "shift"
    dst_repeat: Repeat = "first"
    start_at: Moment | None = None
    end_at: Moment | None = None
    excluded_dates: Days = Field(default=[])
