"""Calls that write: what is known of each, and a person's word where a run was interrupted."""

from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Body
from pydantic import Field

from rota_contracts.events import ApprovalDecided
from rota_gateway.api.answers import Answer, Instant
from rota_gateway.api.fields import Description, Input
from rota_gateway.domain.effects import refusal
from rota_gateway.edge.paging import CurrentPaging, Page
from rota_gateway.edge.unit import ApiRoute, CurrentUnit, Unit
from rota_gateway.errors import ConflictError, NotFoundError
from rota_gateway.repository import access, approvals, effects
from rota_gateway.repository.connection import Row

router = APIRouter(tags=["effects"], route_class=ApiRoute)


class Effect(Answer):
    """A call of a tool that writes. It is entered before it is made, and closed after."""

    id: UUID
    run_id: UUID
    attempt: int
    context_id: UUID
    job_id: UUID | None
    job_name: str
    agent_name: str
    tool_name: str
    arguments: dict[str, Any] | None = Field(description="null where they are too large to be shown")
    state: Literal["started", "done", "failed"] = Field(
        description="started: it was begun, and nobody knows whether it took effect"
    )
    is_open: bool = Field(description="whether its run was interrupted and waits for a person's word on it")
    decision: Literal["confirmed", "repeated"] | None = Field(
        description="confirmed: a person says that it took effect; repeated: it was to be made again"
    )
    note: str
    decided_by: UUID | None
    decided_at: Instant | None
    started_at: Instant
    ended_at: Instant | None


class Word(Input):
    note: Description = ""


@router.get("/effects")
async def list_effects(
    unit: CurrentUnit,
    paging: CurrentPaging,
    context_id: UUID | None = None,
    run_id: UUID | None = None,
    is_open: bool | None = None,
) -> Page[Effect]:
    """Those of runs that have a result, newest first."""
    found = await effects.page(
        unit.connection,
        paging.after,
        paging.fetch,
        context_id=context_id,
        run_id=run_id,
        is_open=is_open,
    )
    return paging.page(found, Effect.model_validate, key=("started_at", "id"))


@router.get("/effects/{effect_id}")
async def get_effect(effect_id: UUID, unit: CurrentUnit) -> Effect:
    return Effect.model_validate(await _found(unit, effect_id))


@router.post("/effects/{effect_id}/confirm")
async def confirm_effect(
    effect_id: UUID, unit: CurrentUnit, said: Annotated[Word | None, Body()] = None
) -> Effect:
    """It took effect: a run that had waited for a person before goes on, others stay as they ended."""
    return await _decide(unit, effect_id, "confirmed", (said or Word()).note)


@router.post("/effects/{effect_id}/repeat")
async def repeat_effect(
    effect_id: UUID, unit: CurrentUnit, said: Annotated[Word | None, Body()] = None
) -> Effect:
    """It is to be made again: the run gets another attempt once nothing of it is open any more.

    That one does again what is to be repeated, and nothing else that has taken effect.
    """
    return await _decide(unit, effect_id, "repeated", (said or Word()).note)


async def _decide(
    unit: Unit, effect_id: UUID, decision: Literal["confirmed", "repeated"], note: str
) -> Effect:
    effect = await _found(unit, effect_id)
    await access.require(unit.connection, effect["context_id"], "decide")
    await approvals.lock_run(unit.connection, effect["run_id"])
    effect = await _found(unit, effect_id)
    if why := refusal(effect, decision):
        raise ConflictError(why)
    await effects.decide(unit.connection, effect, decision, user_id=unit.caller.id, note=note.strip())
    if effect["job_id"] and await effects.resume(unit.connection, effect):
        unit.hints.append(
            ApprovalDecided(context_id=effect["context_id"], job_id=effect["job_id"], run_id=effect["run_id"])
        )
    return Effect.model_validate(await _found(unit, effect_id))


async def _found(unit: Unit, effect_id: UUID) -> Row:
    effect = await effects.find(unit.connection, effect_id)
    if effect is None:
        raise NotFoundError("effect")
    return effect
