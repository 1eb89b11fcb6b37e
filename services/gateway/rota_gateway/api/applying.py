"""Agents, jobs and MCP servers of a context as one document: applied all or nothing, and exported."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, Field

from rota_gateway.api import agents as agents_api
from rota_gateway.api import jobs as jobs_api
from rota_gateway.api import mcp_servers as servers_api
from rota_gateway.api.agent_fields import AgentInput, AgentPatch, ToolLink
from rota_gateway.api.answers import Answer
from rota_gateway.api.fields import Input, Label
from rota_gateway.api.job_fields import JobInput, JobPatch
from rota_gateway.api.mcp_servers import SERVER_NAME, ServerInput
from rota_gateway.domain.applying import Change, FieldChange, differences, told
from rota_gateway.edge.unit import ApiRoute, CurrentUnit, Unit
from rota_gateway.errors import ConflictError, FieldError, InvalidError
from rota_gateway.repository import access, agents, jobs, labels, mcp_servers
from rota_gateway.repository.connection import Row

router = APIRouter(tags=["files"], route_class=ApiRoute)

MAX_OF_KIND = 1_000
# Of an agent in a document: its context is that of the document.
NOT_OF_AGENTS = frozenset({"context_id", "name"})
Kind = Literal["mcp_server", "agent", "job"]


class NamedServer(ServerInput):
    name: Annotated[str, Field(min_length=1, max_length=30, pattern=SERVER_NAME)]


class Document(Input):
    mcp_servers: Annotated[list[NamedServer], Field(max_length=MAX_OF_KIND)] = Field(default=[])
    agents: Annotated[list[AgentInput], Field(max_length=MAX_OF_KIND)] = Field(default=[])
    jobs: Annotated[list[JobInput], Field(max_length=MAX_OF_KIND)] = Field(default=[])


class Application(Document):
    owner: Label | None = Field(default=None, description="a label for all that the document has")
    prune: bool = Field(default=False, description="delete what has this owner and is not in the document")
    dry_run: bool = Field(default=False, description="only tell what would change; everything is checked")


class FieldTold(Answer):
    field: str
    old: Any
    new: Any


class ChangeTold(Answer):
    kind: Kind
    name: str
    action: Literal["create", "update", "delete"]
    fields: list[FieldTold]


class Applied(Answer):
    changes: list[ChangeTold]
    unchanged: int
    is_applied: bool


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


@router.get("/contexts/{context_id}/export")
async def export_document(context_id: UUID, unit: CurrentUnit) -> dict[str, list[dict[str, Any]]]:
    """The document that makes a context have what this one has of its own: no secrets, and no history."""
    await access.require(unit.connection, context_id, "read")
    servers = await mcp_servers.of_context(unit.connection, context_id)
    found = {
        "mcp_servers": [told(NamedServer, one) for one in servers],
        "agents": [
            {**told(AgentInput, one, without={"context_id"}), **_links(one)}
            for one in await _each(unit, context_id, "agent", agents.lock)
        ],
        "jobs": [told(JobInput, one) for one in await _each(unit, context_id, "job", jobs.get)],
    }
    return {kind: [_name_first(one) for one in objects] for kind, objects in found.items() if objects}


async def _each(
    unit: Unit, context_id: UUID, kind: Kind, get: Callable[[Any, UUID], Awaitable[Row | None]]
) -> list[Row]:
    known = await labels.ids(unit.connection, context_id, kind)
    found = [await get(unit.connection, known[name]) for name in sorted(known)]
    return [one for one in found if one]


def _links(agent: Row) -> dict[str, Any]:
    links = [told(ToolLink, link) for link in agent["tools"]]
    return {"tools": links} if links else {}


def _name_first(document: dict[str, Any]) -> dict[str, Any]:
    return {"name": document["name"], **document}


def _require_single(asked: Application) -> None:
    errors = []
    for kind in ("mcp_servers", "agents", "jobs"):
        seen: dict[str, int] = {}
        for index, one in enumerate(getattr(asked, kind)):
            if (other := seen.setdefault(one.name, index)) != index:
                errors.append(FieldError(f"{kind}[{index}].name", f"is that of {kind}[{other}] too"))
    errors += [
        FieldError(f"agents[{index}].context_id", "is that of the document: leave it out")
        for index, agent in enumerate(asked.agents)
        if agent.context_id is not None
    ]
    if errors:
        raise InvalidError(errors)


class _Applying:
    """Servers before the agents that are linked with their tools, agents before the jobs that run them."""

    def __init__(self, unit: Unit, context_id: UUID, asked: Application) -> None:
        self._unit = unit
        self._context_id = context_id
        self._asked = asked
        self._errors: list[FieldError] = []
        self.changes: list[Change] = []
        self.unchanged = 0

    async def all(self) -> None:
        for index, server in enumerate(self._asked.mcp_servers):
            async with self._at(f"mcp_servers[{index}]"):
                await self._server(server)
        await self._of_kind("agent", self._asked.agents, self._agent)
        await self._of_kind("job", self._asked.jobs, self._job)
        if self._errors:
            raise InvalidError(self._errors)
        if self._asked.prune:
            await self._prune()

    async def _of_kind(
        self, kind: Kind, wanted: Sequence[Any], one: Callable[[Any, UUID | None], Awaitable[UUID]]
    ) -> None:
        known = await labels.ids(self._unit.connection, self._context_id, kind)
        for index, definition in enumerate(wanted):
            async with self._at(f"{kind}s[{index}]"):
                await self._label(kind, await one(definition, known.get(definition.name)))

    async def _server(self, server: NamedServer) -> None:
        connection = self._unit.connection
        stored = await mcp_servers.get(connection, self._context_id, server.name)
        fields = differences(server, stored) if stored else ()
        if stored is None or fields:
            given = ServerInput.model_construct(**_values(server, ServerInput))
            await servers_api.set_mcp_server(self._context_id, server.name, given, self._unit)
        made = stored or await mcp_servers.get(connection, self._context_id, server.name)
        assert made is not None
        self._note("mcp_server", server.name, stored, fields)
        await self._label("mcp_server", made["id"])

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
            changes = JobPatch.model_construct(**{one.field: getattr(job, one.field) for one in fields})
            await jobs_api.update_job(stored["id"], changes, self._unit)
        self._note("job", job.name, stored, fields)
        return stored["id"] if stored else made.id

    async def _prune(self) -> None:
        """Jobs before the agents that they run, agents before the servers."""
        assert self._asked.owner is not None
        owned = await labels.of_owner(self._unit.connection, self._context_id, self._asked.owner)
        kept = {
            "mcp_server": {one.name for one in self._asked.mcp_servers},
            "agent": {one.name for one in self._asked.agents},
            "job": {one.name for one in self._asked.jobs},
        }
        for kind in ("job", "agent", "mcp_server"):
            for one in owned:
                if one["kind"] == kind and one["name"] not in kept[kind]:
                    await self._delete(kind, one)

    async def _delete(self, kind: Kind, one: Row) -> None:
        if kind == "job":
            await jobs_api.delete_job(one["id"], self._unit)
        elif kind == "agent":
            await agents_api.delete_agent(one["name"], self._unit, self._context_id)
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


def _values(document: BaseModel, model: type[BaseModel]) -> dict[str, Any]:
    """What the model has of a document that was looked at already."""
    return {field: getattr(document, field) for field in model.model_fields if hasattr(document, field)}
