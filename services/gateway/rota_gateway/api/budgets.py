"""Budgets: what a context, one of its agents or one of its jobs may spend in a day or a month."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter
from pydantic import Field, PlainSerializer

from rota_contracts.budgets import period_end
from rota_gateway.api.answers import Answer, Instant
from rota_gateway.api.budget_fields import BudgetInput, BudgetPatch
from rota_gateway.api.fields import plain_amount
from rota_gateway.domain.budgets import problems
from rota_gateway.edge.paging import CurrentPaging, Page
from rota_gateway.edge.unit import ApiRoute, CurrentUnit, Unit
from rota_gateway.errors import FieldError, InvalidError, NotFoundError
from rota_gateway.repository import access, budgets
from rota_gateway.repository.connection import Row

router = APIRouter(tags=["budgets"], route_class=ApiRoute)

Amount = Annotated[Decimal, PlainSerializer(plain_amount, return_type=str)]


class Budget(Answer):
    """`used_…` is what was spent in the period that goes on, `reserved_…` what calls that go on may add."""

    id: UUID
    context_id: UUID
    job_id: UUID | None
    job_name: str | None
    agent_name: str | None
    period: Literal["day", "month"]
    tokens_limit: int | None
    cost_limit: Amount | None = Field(description="US dollars")
    policy: Literal["stop", "pause", "fallback"]
    fallback_model: str | None
    period_start: Instant
    period_end: Instant
    used_tokens: int
    used_cost: Amount
    reserved_tokens: int
    reserved_cost: Amount
    created_at: Instant
    updated_at: Instant


@router.get("/contexts/{context_id}/budgets")
async def list_budgets(context_id: UUID, unit: CurrentUnit, paging: CurrentPaging) -> Page[Budget]:
    await access.require(unit.connection, context_id, "read")
    found = await budgets.page(unit.connection, context_id, paging.after, paging.fetch)
    return paging.page(found, _shown)


@router.post("/contexts/{context_id}/budgets", status_code=201)
async def create_budget(context_id: UUID, definition: BudgetInput, unit: CurrentUnit) -> Budget:
    """Only owners say what may be spent. It holds for runs that begin from now on."""
    await access.require(unit.connection, context_id, "own")
    values = {**definition.model_dump(), "cost_limit": definition.cost_limit}
    await _checked(unit, context_id, values)
    return await _answer(unit, await budgets.add(unit.connection, context_id, values, user_id=unit.caller.id))


@router.get("/budgets/{budget_id}")
async def get_budget(budget_id: UUID, unit: CurrentUnit) -> Budget:
    return await _answer(unit, budget_id)


@router.patch("/budgets/{budget_id}")
async def update_budget(budget_id: UUID, patch: BudgetPatch, unit: CurrentUnit) -> Budget:
    """A limit holds for the next call of every run, also of those that go on."""
    stored = await _owned(unit, budget_id)
    sent = {field: getattr(patch, field) for field in patch.model_fields_set}
    if sent.get("policy", "fallback") != "fallback" and "fallback_model" not in sent:
        sent["fallback_model"] = None
    wanted = {**stored, **sent}
    await _checked(unit, stored["context_id"], wanted)
    await budgets.update(unit.connection, budget_id, wanted)
    return await _answer(unit, budget_id)


@router.delete("/budgets/{budget_id}", status_code=204)
async def delete_budget(budget_id: UUID, unit: CurrentUnit) -> None:
    await _owned(unit, budget_id)
    await budgets.delete(unit.connection, budget_id)


async def _owned(unit: Unit, budget_id: UUID) -> Row:
    """The budget, which nobody else changes until the transaction ends."""
    found = await _found(unit, budget_id)
    await access.require(unit.connection, found["context_id"], "own")
    await budgets.lock(unit.connection, budget_id)
    return await _found(unit, budget_id)


async def _found(unit: Unit, budget_id: UUID) -> Row:
    found = await budgets.get(unit.connection, budget_id)
    if found is None:
        raise NotFoundError("budget")
    return found


async def _checked(unit: Unit, context_id: UUID, budget: Mapping[str, Any]) -> None:
    job_id, agent_name = budget["job_id"], budget["agent_name"]
    agents = await budgets.concerned(unit.connection, context_id, job_id=job_id, agent_name=agent_name)
    errors = [FieldError(*problem) for problem in problems(budget, agents)]
    if job_id is not None and await budgets.job_context(unit.connection, job_id) != context_id:
        errors.append(FieldError("job_id", "is no job of this context"))
    if agent_name is not None and not agents:
        errors.append(FieldError("agent_name", f"there is no agent {agent_name!r} for jobs of this context"))
    if errors:
        raise InvalidError(errors)


async def _answer(unit: Unit, budget_id: UUID) -> Budget:
    return _shown(await _found(unit, budget_id))


def _shown(budget: Row) -> Budget:
    end = period_end(budget["period"], budget["period_start"])
    return Budget.model_validate({**budget, "period_end": end})
