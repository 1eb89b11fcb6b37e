"""Calls that wait for a person: what an agent wants to do, and whether it may."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Body
from pydantic import Field

from rota_contracts.events import ApprovalDecided
from rota_gateway.api.answers import Answer, Instant
from rota_gateway.api.fields import Description, Input, JsonObject
from rota_gateway.api.grant_fields import ApprovalGrant
from rota_gateway.api.grants import give_with_approval
from rota_gateway.domain.checks import argument_problems
from rota_gateway.edge.paging import CurrentPaging, Page
from rota_gateway.edge.unit import ApiRoute, CurrentUnit, Unit
from rota_gateway.errors import ConflictError, FieldError, InvalidError, NotFoundError
from rota_gateway.repository import access, approvals, tools
from rota_gateway.repository.connection import Row

router = APIRouter(tags=["approvals"], route_class=ApiRoute)

Status = Literal["pending", "approved", "denied", "expired"]


class Approval(Answer):
    """`approved_arguments` are what the person put in the place of `arguments`, which the model gave."""

    id: UUID
    run_id: UUID
    context_id: UUID
    job_id: UUID | None
    job_name: str
    agent_name: str
    tool_call_id: str
    tool_name: str
    arguments: dict[str, Any]
    reason: str = Field(description="what the agent said when it made the call")
    status: Status
    expires_at: Instant | None
    expiry_action: Literal["deny", "fail"] = Field(
        description="when nobody decides in time: the call is denied, or the run fails"
    )
    created_at: Instant
    approved_arguments: dict[str, Any] | None
    note: str
    decided_by: UUID | None
    decided_at: Instant | None
    grant_id: UUID | None = Field(description="the standing grant that came with the approval")


class Approve(Input):
    note: Description = ""
    # Instead of those that the model gave; as they are, when left out.
    arguments: JsonObject | None = None
    grant: ApprovalGrant | None = Field(
        default=None, description="also allows further calls of the job; {} those with just these arguments"
    )


class Deny(Input):
    # The model reads it.
    note: Description = ""


@router.get("/approvals")
async def list_approvals(
    unit: CurrentUnit,
    paging: CurrentPaging,
    context_id: UUID | None = None,
    status: Status | None = None,
) -> Page[Approval]:
    """The calls that wait or waited for a decision, newest first."""
    found = await approvals.page(
        unit.connection, paging.after, paging.fetch, context_id=context_id, status=status
    )
    return paging.page(found, Approval.model_validate)


@router.get("/approvals/{action_id}")
async def get_approval(action_id: UUID, unit: CurrentUnit) -> Approval:
    return Approval.model_validate(await _found(unit, action_id))


@router.post("/approvals/{action_id}/approve")
async def approve(
    action_id: UUID, unit: CurrentUnit, asked: Annotated[Approve | None, Body()] = None
) -> Approval:
    """The call may be made. When it was the last one that its run waited for, the run goes on."""
    asked = asked or Approve()
    return await _decide(unit, action_id, "approved", asked.note, asked.arguments, asked.grant)


@router.post("/approvals/{action_id}/deny")
async def deny(action_id: UUID, unit: CurrentUnit, asked: Annotated[Deny | None, Body()] = None) -> Approval:
    """The call is not made, and the model is told so with the note; the run goes on as after an approval."""
    return await _decide(unit, action_id, "denied", (asked or Deny()).note)


async def _decide(
    unit: Unit,
    action_id: UUID,
    decision: str,
    note: str,
    arguments: Mapping[str, Any] | None = None,
    grant: ApprovalGrant | None = None,
) -> Approval:
    action = await _found(unit, action_id)
    await access.require(unit.connection, action["context_id"], "decide")
    await approvals.lock_run(unit.connection, action["run_id"])
    action = await _found(unit, action_id)
    if action["status"] != "pending":
        raise ConflictError(_too_late(action))
    if arguments is not None:
        await _require_fitting(unit, action["context_id"], action["tool_name"], arguments)
    await approvals.decide(
        unit.connection,
        action,
        decision,
        user_id=unit.caller.id,
        note=note.strip(),
        arguments=arguments,
    )
    if grant is not None:
        approved = action["arguments"] if arguments is None else arguments
        await give_with_approval(unit, action, grant, approved, note)
    if await approvals.resume(unit.connection, action) and action["job_id"]:
        unit.hints.append(
            ApprovalDecided(context_id=action["context_id"], job_id=action["job_id"], run_id=action["run_id"])
        )
    return Approval.model_validate(await _found(unit, action_id))


async def _found(unit: Unit, action_id: UUID) -> Row:
    action = await approvals.find(unit.connection, action_id)
    if action is None:
        raise NotFoundError("approval")
    return action


async def _require_fitting(
    unit: Unit, context_id: UUID, tool_name: str, arguments: Mapping[str, Any]
) -> None:
    """The arguments of a person must fit the tool, as far as it is known; the executor looks again."""
    tool = (await tools.every(unit.connection, context_id)).get(tool_name)
    problems = list(argument_problems(tool.name, tool.parameters, arguments)) if tool else []
    if problems:
        raise InvalidError([FieldError(problem.field, problem.message) for problem in problems])


def _too_late(action: Row) -> str:
    if action["status"] == "expired":
        return f"Nobody decided by {action['expires_at']:%Y-%m-%d %H:%M} UTC: the call has expired."
    at = action["decided_at"]
    return f"The call is {action['status']} already" + (f", since {at:%Y-%m-%d %H:%M} UTC." if at else ".")
