"""Standing grants: calls of tools that need not be asked for again."""

from collections.abc import Mapping
from typing import Any, Literal
from uuid import UUID

from fastapi import APIRouter
from pydantic import Field

from rota_contracts.grants import Pattern, exactly, prompt_hash, tool_hash
from rota_contracts.tools import ToolDescription
from rota_gateway.api.answers import Answer, Instant
from rota_gateway.api.grant_fields import ApprovalGrant, GrantInput, Terms
from rota_gateway.domain import grants as domain
from rota_gateway.edge.paging import CurrentPaging, Page
from rota_gateway.edge.unit import ApiRoute, CurrentUnit, Unit
from rota_gateway.errors import ConflictError, FieldError, InvalidError, NotFoundError
from rota_gateway.repository import access, clock, grants, tools
from rota_gateway.repository.connection import Row

router = APIRouter(tags=["approvals"], route_class=ApiRoute)


class Grant(Answer):
    """A change of the job's prompt or agent, of the agent or of the tool voids it: `reason` says which."""

    id: UUID
    context_id: UUID
    job_id: UUID
    job_name: str
    agent_name: str
    agent_revision: int
    tool_name: str
    arguments: dict[str, dict[str, Any]] = Field(
        description='by name: {"match": "exact", "value": …} or {"match": "any"}'
    )
    other_arguments: Literal["none", "any"]
    state: domain.State = Field(description="only one that is active covers calls")
    reason: str | None = Field(description="why it covers none")
    uses: int = Field(description="how many calls it covered")
    max_uses: int | None
    last_used_at: Instant | None
    note: str
    action_id: UUID | None = Field(description="the call that was approved with it")
    created_by: UUID | None
    created_at: Instant
    expires_at: Instant
    revoked_by: UUID | None
    revoked_at: Instant | None


class GrantUse(Answer):
    """A call that was made without asking; `number` counts those of the grant."""

    number: int
    run_id: UUID
    attempt: int
    call_id: str
    used_at: Instant


@router.get("/grants")
async def list_grants(
    unit: CurrentUnit, paging: CurrentPaging, context_id: UUID | None = None, job_id: UUID | None = None
) -> Page[Grant]:
    """Newest first, also those that cover no call any more."""
    found = await grants.page(
        unit.connection, paging.after, paging.fetch, context_id=context_id, job_id=job_id
    )
    known = await tools.of_each(unit.connection, (one["context_id"] for one in found))
    return paging.page(found, lambda grant: _shown(grant, known[grant["context_id"]]))


@router.post("/grants", status_code=201)
async def create_grant(asked: GrantInput, unit: CurrentUnit) -> Grant:
    """Lets runs of the job make these calls without asking."""
    await access.require_for_job(unit.connection, asked.job_id, "decide")
    return await _given(unit, asked.job_id, asked.tool_name, asked, asked.pattern(), note=asked.note)


@router.get("/grants/{grant_id}")
async def get_grant(grant_id: UUID, unit: CurrentUnit) -> Grant:
    grant = await _found(unit, grant_id)
    return _shown(grant, await tools.every(unit.connection, grant["context_id"]))


@router.get("/grants/{grant_id}/uses")
async def list_grant_uses(grant_id: UUID, unit: CurrentUnit, paging: CurrentPaging) -> Page[GrantUse]:
    """The calls that it covered, the latest first."""
    await _found(unit, grant_id)
    found = await grants.uses(unit.connection, grant_id, paging.after, paging.fetch)
    return paging.page(found, GrantUse.model_validate, key=("used_at", "run_id"))


@router.delete("/grants/{grant_id}", status_code=204)
async def revoke_grant(grant_id: UUID, unit: CurrentUnit) -> None:
    """It covers no call from now on; it and its uses stay to be read."""
    grant = await _found(unit, grant_id)
    await access.require(unit.connection, grant["context_id"], "decide")
    await grants.revoke(unit.connection, grant_id, unit.caller.id)


async def give_with_approval(
    unit: Unit, action: Row, asked: ApprovalGrant, approved: Mapping[str, Any], note: str
) -> None:
    """The grant that comes with the approval of a call.

    Raises:
        ConflictError: the job, or its agent, is not any more what made the call.
        InvalidError: the call itself would not be covered.

    """
    pattern = asked.pattern() if asked.arguments is not None else exactly(approved)
    if asked.arguments is None and asked.other_arguments == "any":
        message = "needs arguments: without them just those of the call are covered"
        raise InvalidError([FieldError("grant.other_arguments", message)])
    if not pattern.covers(approved):
        raise InvalidError([FieldError("grant.arguments", "must cover the call that is approved")])
    if action["job_id"] is None:
        raise ConflictError("The job was deleted: there is nothing to grant. Approve the call alone.")
    await _given(unit, action["job_id"], action["tool_name"], asked, pattern, action=action, note=note)


async def _given(
    unit: Unit,
    job_id: UUID,
    tool_name: str,
    asked: Terms,
    pattern: Pattern,
    *,
    note: str,
    action: Row | None = None,
) -> Grant:
    job = await grants.job_of(unit.connection, job_id)
    if job is None:
        raise NotFoundError("job")
    if job["job_tool"] is not None or job["current_agent_id"] is None:
        raise ConflictError(f"The job {job['job_name']!r} runs no agent: nothing of it is ever asked for.")
    if action and (why := domain.was_for(action, job)):
        raise ConflictError(f"A grant is for the job as it is now, and {why}. Approve the call alone.")
    known = await tools.every(unit.connection, job["context_id"])
    if (tool := known.get(tool_name)) is None:
        raise InvalidError([FieldError("tool_name", f"no executor has a tool {tool_name!r}")])
    grant_id = await grants.add(
        unit.connection,
        pattern,
        context_id=job["context_id"],
        job_id=job_id,
        prompt_hash=prompt_hash(job["job_prompt"]),
        agent_id=job["current_agent_id"],
        agent_name=job["job_agent_name"],
        agent_revision=job["current_agent_revision"],
        tool_name=tool.name,
        tool_hash=tool_hash(tool),
        max_uses=asked.max_uses,
        note=note.strip(),
        action_id=action and action["id"],
        created_by=unit.caller.id,
        expires_at=await clock.in_days(unit.connection, asked.expires_in_days),
    )
    return _shown(await _found(unit, grant_id), known)


async def _found(unit: Unit, grant_id: UUID) -> Row:
    grant = await grants.find(unit.connection, grant_id)
    if grant is None:
        raise NotFoundError("grant")
    return grant


def _shown(grant: Row, known: dict[str, ToolDescription]) -> Grant:
    standing = domain.standing(grant, known.get(grant["tool_name"]), grant["now"])
    return Grant.model_validate({**grant, **standing._asdict()})
