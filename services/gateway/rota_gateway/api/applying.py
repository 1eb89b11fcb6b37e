"""A document of a context is applied: all of it or nothing."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel

from rota_gateway.api import agents as agents_api
from rota_gateway.api import budgets as budgets_api
from rota_gateway.api import calendars as calendars_api
from rota_gateway.api import contexts as contexts_api
from rota_gateway.api import jobs as jobs_api
from rota_gateway.api import mcp_servers as servers_api
from rota_gateway.api.agent_fields import AgentInput, AgentPatch
from rota_gateway.api.budget_fields import BudgetInput, BudgetPatch
from rota_gateway.api.calendars import CalendarInput, CalendarPatch
from rota_gateway.api.contexts import ContextPatch, ContextSettings
from rota_gateway.api.document_fields import (
    KINDS,
    Application,
    Applied,
    ChangeTold,
    NamedBudget,
    NamedCalendar,
    NamedServer,
    as_documented,
)
from rota_gateway.api.job_fields import JobInput, JobPatch
from rota_gateway.api.mcp_servers import ServerInput
from rota_gateway.domain.applying import Change, FieldChange, Kind, differences
from rota_gateway.edge.unit import ApiRoute, CurrentUnit, Unit
from rota_gateway.errors import ConflictError, FieldError, InvalidError
from rota_gateway.repository import access, agents, budgets, calendars, contexts, jobs, labels, mcp_servers
from rota_gateway.repository.connection import Row

router = APIRouter(tags=["files"], route_class=ApiRoute)

# Of an agent in a document: its context is that of the document.
NOT_OF_AGENTS = frozenset({"context_id", "name"})
# Whose change is for owners: others may apply what is as it is, and hold nothing of it.
OWNED = frozenset({"mcp_server", "budget"})


@router.post("/contexts/{context_id}/apply")
async def apply_document(context_id: UUID, asked: Application, unit: CurrentUnit) -> Applied:
    """Makes the context have what the document says; what it leaves out of an object has its default.

    All of it or nothing; an error names the place, like `agents[0].model`. Whether a job is paused changes
    only where the document says so. Objects that it does not name stay, unless they are pruned.
    """
    await access.require(unit.connection, context_id, "write")
    if asked.prune and asked.owner is None:
        raise InvalidError([FieldError("owner", "is needed to prune: what has no owner is not deleted")])
    _require_single(asked)
    applying = _Applying(unit, context_id, asked)
    if asked.dry_run:
        async with labels.undone(unit.connection):
            await applying.all()
        unit.hints.clear()
        unit.events.clear()
    else:
        await applying.all()
    return Applied(
        changes=[ChangeTold.model_validate(one, from_attributes=True) for one in applying.changes],
        unchanged=applying.unchanged,
        is_applied=not asked.dry_run,
    )


def _require_single(asked: Application) -> None:
    errors = []
    for kind in KINDS:
        seen: dict[str, int] = {}
        for index, one in enumerate(getattr(asked, kind)):
            if (other := seen.setdefault(one.name, index)) != index:
                field = "period" if kind == "budgets" else "name"
                errors.append(FieldError(f"{kind}[{index}].{field}", f"is that of {kind}[{other}] too"))
    errors += [
        FieldError(f"agents[{index}].context_id", "is that of the document: leave it out")
        for index, agent in enumerate(asked.agents)
        if agent.context_id is not None
    ]
    if errors:
        raise InvalidError(errors)


class _Applying:
    """What others name comes before these: servers before agents, agents before jobs, jobs before budgets."""

    def __init__(self, unit: Unit, context_id: UUID, asked: Application) -> None:
        self._unit = unit
        self._context_id = context_id
        self._asked = asked
        self._errors: list[FieldError] = []
        self.changes: list[Change] = []
        self.unchanged = 0

    async def all(self) -> None:
        making: dict[str, Callable[[Any, UUID | None], Awaitable[UUID]]] = {
            "calendars": self._calendar,
            "mcp_servers": self._server,
            "agents": self._agent,
            "jobs": self._job,
            "budgets": self._budget,
        }
        if self._asked.settings is not None:
            await self._settings(self._asked.settings)
        for listed, one in making.items():
            await self._of_kind(listed, one)
        if self._errors:
            raise InvalidError(self._errors)
        if self._asked.prune:
            await self._prune()

    async def _of_kind(self, listed: str, one: Callable[[Any, UUID | None], Awaitable[UUID]]) -> None:
        kind = KINDS[listed]
        known = await self._ids(kind)
        for index, definition in enumerate(getattr(self._asked, listed)):
            async with self._at(f"{listed}[{index}]"):
                await self._label(kind, await one(definition, known.get(definition.name)))

    async def _ids(self, kind: Kind) -> dict[str, UUID]:
        return await labels.ids(self._unit.connection, self._context_id, kind, hold=kind not in OWNED)

    async def _settings(self, wanted: ContextSettings) -> None:
        stored = await contexts.get(self._unit.connection, self._context_id)
        assert stored is not None
        unsaid = ContextSettings.model_fields.keys() - wanted.model_fields_set
        fields = differences(wanted, stored, without=unsaid)
        if fields:
            patch = ContextPatch.model_construct(**_changed(wanted, fields))
            await contexts_api.update_context(self._context_id, patch, self._unit)
        self._note("context", stored["name"], stored, fields)

    async def _calendar(self, calendar: NamedCalendar, known: UUID | None) -> UUID:
        stored = await calendars.get(self._unit.connection, known) if known else None
        fields = differences(calendar, stored) if stored else ()
        if stored is None:
            given = CalendarInput.model_construct(name=calendar.name, dates=calendar.dates)
            made = await calendars_api.create_calendar(self._context_id, given, self._unit)
        elif fields:
            patch = CalendarPatch.model_construct(**_changed(calendar, fields))
            await calendars_api.update_calendar(stored["id"], patch, self._unit)
        self._note("calendar", calendar.name, stored, fields)
        return stored["id"] if stored else made.id

    async def _server(self, server: NamedServer, known: UUID | None) -> UUID:
        connection = self._unit.connection
        stored = await mcp_servers.get(connection, self._context_id, server.name) if known else None
        fields = differences(server, stored) if stored else ()
        if stored is None or fields:
            given = ServerInput.model_construct(**_values(server, ServerInput))
            made = await servers_api.set_mcp_server(self._context_id, server.name, given, self._unit)
        self._note("mcp_server", server.name, stored, fields)
        return stored["id"] if stored else made.id

    async def _agent(self, agent: AgentInput, known: UUID | None) -> UUID:
        stored = await agents.lock(self._unit.connection, known) if known else None
        fields = differences(agent, stored, without=NOT_OF_AGENTS) if stored else ()
        if stored is None:
            owned = agent.model_copy(update={"context_id": self._context_id})
            made = await agents_api.create_agent(owned, self._unit)
        elif fields:
            patch = AgentPatch.model_construct(**_values(agent, AgentPatch))
            await agents_api.update_agent(agent.name, patch, self._unit, self._context_id)
        self._note("agent", agent.name, stored, fields)
        return stored["id"] if stored else made.id

    async def _job(self, job: JobInput, known: UUID | None) -> UUID:
        stored = await jobs.get(self._unit.connection, known) if known else None
        fields = differences(job, stored) if stored else ()
        if stored is None:
            made = await jobs_api.create_job(self._context_id, job, self._unit)
        elif fields:
            patch = JobPatch.model_construct(**_changed(job, fields))
            await jobs_api.update_job(stored["id"], patch, self._unit)
        self._note("job", job.name, stored, fields)
        return stored["id"] if stored else made.id

    async def _budget(self, budget: NamedBudget, known: UUID | None) -> UUID:
        stored = await budgets.get(self._unit.connection, known) if known else None
        fields = differences(budget, as_documented(stored)) if stored else ()
        if stored is None:
            given = BudgetInput.model_construct(
                job_id=await self._job_of(budget), **_values(budget, BudgetInput)
            )
            made = await budgets_api.create_budget(self._context_id, given, self._unit)
        elif fields:
            patch = BudgetPatch.model_construct(**_changed(budget, fields))
            await budgets_api.update_budget(stored["id"], patch, self._unit)
        self._note("budget", budget.name, stored, fields)
        return stored["id"] if stored else made.id

    async def _job_of(self, budget: NamedBudget) -> UUID | None:
        if budget.job_name is None:
            return None
        known = await labels.ids(self._unit.connection, self._context_id, "job", hold=False)
        if budget.job_name not in known:
            message = f"there is no job {budget.job_name!r} in this context"
            raise InvalidError([FieldError("job_name", message)])
        return known[budget.job_name]

    async def _prune(self) -> None:
        """What names others before these."""
        assert self._asked.owner is not None
        owned = await labels.of_owner(self._unit.connection, self._context_id, self._asked.owner)
        kept = {kind: {one.name for one in getattr(self._asked, listed)} for listed, kind in KINDS.items()}
        gone = [one for one in owned if one["name"] not in kept[one["kind"]]]
        self._require_jobs_of_budgets({one["name"] for one in gone if one["kind"] == "job"})
        for kind in reversed(list(KINDS.values())):
            for one in gone:
                if one["kind"] == kind:
                    await self._delete(kind, one)

    def _require_jobs_of_budgets(self, gone: set[str]) -> None:
        """With a job its budgets go."""
        errors = [
            FieldError(f"budgets[{index}].job_name", "is a job that the document has not, and that is pruned")
            for index, budget in enumerate(self._asked.budgets)
            if budget.job_name in gone
        ]
        if errors:
            raise InvalidError(errors)

    async def _delete(self, kind: Kind, one: Row) -> None:
        if kind == "job":
            await jobs_api.delete_job(one["id"], self._unit)
        elif kind == "agent":
            await agents_api.delete_agent(one["name"], self._unit, self._context_id)
        elif kind == "budget":
            await budgets_api.delete_budget(one["id"], self._unit)
        elif kind == "calendar":
            await calendars_api.delete_calendar(one["id"], self._unit)
        else:
            await servers_api.delete_mcp_server(self._context_id, one["name"], self._unit)
        await labels.forget(self._unit.connection, kind, one["id"])
        self.changes.append(Change(kind, one["name"], "delete"))

    def _note(self, kind: Kind, name: str, stored: Row | None, fields: tuple[FieldChange, ...]) -> None:
        if stored is None:
            self.changes.append(Change(kind, name, "create"))
        elif fields:
            self.changes.append(Change(kind, name, "update", fields))
        else:
            self.unchanged += 1

    async def _label(self, kind: Kind, object_id: UUID) -> None:
        if self._asked.owner:
            await labels.label(self._unit.connection, self._context_id, kind, object_id, self._asked.owner)

    @asynccontextmanager
    async def _at(self, place: str) -> AsyncIterator[None]:
        """Says of what is wrong where in the document it is, and goes on to find what else is."""
        try:
            async with labels.apart(self._unit.connection):
                yield
        except (InvalidError, ConflictError) as error:
            self._errors += [FieldError(f"{place}.{one.field}", one.message) for one in error.errors] or [
                FieldError(place, error.detail)
            ]


def _changed(document: BaseModel, fields: tuple[FieldChange, ...]) -> dict[str, Any]:
    return {one.field: getattr(document, one.field) for one in fields}


def _values(document: BaseModel, model: type[BaseModel]) -> dict[str, Any]:
    """What the model has of a document that was looked at already."""
    return {field: getattr(document, field) for field in model.model_fields if hasattr(document, field)}
