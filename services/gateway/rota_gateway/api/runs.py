from typing import Any, Literal
from uuid import UUID

from fastapi import APIRouter
from pydantic import Field

from rota_gateway.api.answers import Answer, Disposition, Instant, State
from rota_gateway.edge.paging import CurrentPaging, Page
from rota_gateway.edge.unit import ApiRoute, CurrentUnit
from rota_gateway.errors import NotFoundError
from rota_gateway.repository import conversations, runs

router = APIRouter(tags=["runs"], route_class=ApiRoute)

RunStatus = Literal["success", "error", "partial"]
OutcomeStatus = Literal["changed", "nothing", "needs_attention", "failed"]
Severity = Literal["info", "warning", "critical"]


class Run(Answer):
    """`status` is null until the run has a result; `state` says where it is until then.

    An occurrence that was closed without running has a `disposition` with its `reason`, and never a status.
    """

    run_id: UUID
    job_id: UUID | None
    schedule_id: UUID | None
    job_name: str | None
    context_id: UUID
    agent_name: str | None
    prompt: str | None
    status: RunStatus | None
    state: State
    disposition: Disposition | None
    reason_code: str | None
    reason: str | None
    result_content: str
    error_kind: str | None
    error_message: str | None
    outcome_status: OutcomeStatus | None = Field(
        description="of a success: what its agent says that it came to; of a plain answer `changed`"
    )
    outcome_summary: str = Field(description="one or two sentences of the agent")
    outcome_severity: Severity | None
    outcome_fingerprint: str = Field(description="the same for runs that tell of the same thing")
    attempt: int
    execution_duration_ms: int | None
    pending_actions_created: int
    usage: dict[str, Any]
    session_id: UUID | None
    trigger: Literal["schedule", "manual", "backfill", "dry_run"]
    scheduled_for: Instant
    started_at: Instant | None
    completed_at: Instant | None
    metadata: dict[str, Any]


class Attempt(Answer):
    attempt: int
    state: Literal["running", "released", "ended"]
    executor: str
    session_id: UUID
    started_at: Instant
    ended_at: Instant | None
    status: RunStatus | None
    error_kind: str | None
    error_message: str | None


class PendingAction(Answer):
    id: UUID
    tool_call_id: str
    tool_name: str
    arguments: dict[str, Any]
    reason: str
    status: Literal["pending", "approved", "denied", "expired"]
    expires_at: Instant | None
    created_at: Instant


class Delivery(Answer):
    category: Literal["success", "error", "approval_needed", "approval_reminder", "paused", "message"]
    channel: Literal["in_app", "email", "telegram", "webhook"]
    target: str | None
    state: Literal["pending", "delivered", "failed", "unknown", "suppressed"]
    reason: str | None
    attempts: int
    updated_at: Instant


class RehearsedCall(Answer):
    """A call that a dry run came to."""

    tool_name: str
    arguments: dict[str, Any]
    effect: Literal["read", "write"]
    policy: Literal["auto", "ask", "deny"]
    is_granted: bool = Field(description="a standing grant covers it, so that nobody would be asked")
    is_made: bool = Field(description="it was made: it only reads, and nobody would be asked")


class RunDetails(Run):
    rehearsed_calls: list[RehearsedCall] = Field(
        default=[], description="of a dry run: what it would call; POST /grants allows it beforehand"
    )
    attempts: list[Attempt]
    pending_actions: list[PendingAction]
    deliveries: list[Delivery]


class Message(Answer):
    """The time and the tokens of a call of the model stand in the first message of its answer; those of a
    call of a tool in its result, which has the `tool_call_id` of the message that asked for it.
    """

    position: int
    role: Literal["system", "user", "assistant", "tool"]
    content: str
    started_at: Instant | None
    duration_ms: int | None
    input_tokens: int | None
    output_tokens: int | None
    model: str | None
    tool_name: str | None = Field(description="of a message that asks for a call, and of its result")
    tool_call_id: str | None
    arguments: dict[str, Any] | None
    status: Literal["success", "failed", "denied", "interrupted", "retried"] | None = Field(
        description="of the result of a tool; `retried`: the model was told to call again"
    )


class Conversation(Answer):
    session_id: UUID
    run_id: UUID
    context_id: UUID
    agent_name: str
    created_at: Instant
    messages: list[Message]


@router.get("/runs")
async def list_runs(
    unit: CurrentUnit,
    paging: CurrentPaging,
    context_id: UUID | None = None,
    job_id: UUID | None = None,
    status: RunStatus | None = None,
    outcome_status: OutcomeStatus | None = None,
) -> Page[Run]:
    """The runs that have a result, newest first."""
    found = await runs.page(
        unit.connection,
        paging.after,
        paging.fetch,
        context_id=context_id,
        job_id=job_id,
        status=status,
        outcome_status=outcome_status,
    )
    return paging.page(found, Run.model_validate, key=("created_at", "run_id"))


@router.get("/runs/{run_id}")
async def get_run(run_id: UUID, unit: CurrentUnit) -> RunDetails:
    found = await runs.get(unit.connection, run_id)
    if found is None:
        raise NotFoundError("run")
    return RunDetails.model_validate(
        {**found, "rehearsed_calls": found["metadata"].get("rehearsed_calls", [])}
    )


@router.get("/conversations/{session_id}", tags=["conversations"])
async def get_conversation(session_id: UUID, unit: CurrentUnit) -> Conversation:
    """What was said in one attempt of a run."""
    found = await conversations.get(unit.connection, session_id)
    if found is None:
        raise NotFoundError("conversation")
    return Conversation.model_validate(found)
