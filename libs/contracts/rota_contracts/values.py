"""What events are made of: the words for how things ended, and the parts of an outcome."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from rota_contracts.tools import Effect, Policy

Instant = Annotated[datetime, Meta(tz=True)]
Attempt = Annotated[int, Meta(ge=1)]
Count = Annotated[int, Meta(ge=0)]
Trigger = Literal["schedule", "manual", "backfill", "dry_run"]
Disposition = Literal["ran", "skipped", "missed", "coalesced", "suppressed"]
RunStatus = Literal["success", "error", "partial"]
OutcomeStatus = Literal["changed", "nothing", "needs_attention", "failed"]
Severity = Literal["info", "warning", "critical"]
ErrorKind = Literal[
    "agent_not_found",  # no configuration of that name
    "invalid_configuration",  # the agent or a tool cannot be built as configured
    "blocked",  # a key, an account or a server that the run needs is not there; a person sees to it
    "model_unavailable",  # the model did not answer
    "model_error",  # the model answered with an error
    "tool_error",
    "timeout",
    "cancelled",
    "lost",  # the executors that held the run died
    "limit",  # a limit of the run or a budget was reached
    "interrupted",  # the executor died after the run had begun to write; a person decides
    "approval_expired",  # nobody decided in time on a call, and the job wants the run to fail then
    "internal",
]


class ContentBlock(Struct, frozen=True, kw_only=True):
    """One piece of a model's answer; only blocks of type `text` have a text for people."""

    type: str
    text: str = ""


class PendingAction(Struct, frozen=True, kw_only=True):
    """A tool call that waits for a person; `reason` is what the agent said when it made it."""

    tool_call_id: str
    tool_name: str
    arguments: dict[str, Any]
    reason: str = ""


class RehearsedCall(Struct, frozen=True, kw_only=True):
    """A call that a dry run came to; `is_made`: it only reads, and nobody would be asked."""

    tool_name: str
    arguments: dict[str, Any]
    effect: Effect
    policy: Policy
    # Whether a standing grant covers it, where the policy is to ask.
    is_granted: bool = False
    is_made: bool = False


class Usage(Struct, frozen=True, kw_only=True):
    requests: Count = 0
    input_tokens: Count = 0
    output_tokens: Count = 0
    tool_calls: Count = 0
    # As far as prices are known, with all attempts that it went on from; null where none is.
    cost_usd: Decimal | None = None
    # Requests that nobody knows the price of.
    unpriced_requests: Count = 0


class ModelUsage(Struct, frozen=True, kw_only=True):
    """What one attempt spent on one model, named as it is configured."""

    model: str
    requests: Count = 0
    input_tokens: Count = 0
    output_tokens: Count = 0
    cost_usd: Decimal | None = None
    unpriced_requests: Count = 0


class ReportedOutcome(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a run that succeeded came to: what its agent reported; of a plain answer, that it `changed`.

    `failed` says that the agent could not do what it was asked; the run itself did not fail. Two runs with
    the same `fingerprint` tell of the same thing.
    """

    status: OutcomeStatus
    summary: str = ""
    severity: Severity = "info"
    fingerprint: str = ""
