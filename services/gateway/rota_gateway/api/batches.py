"""Many jobs at once, all or none of them."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID, uuid4

from fastapi import APIRouter
from pydantic import Field

from rota_gateway.api.answers import Answer
from rota_gateway.api.fields import Input
from rota_gateway.api.job_answers import change_of
from rota_gateway.api.job_checks import calendar_dates, errors_of, surroundings
from rota_gateway.api.job_fields import JobInput
from rota_gateway.api.jobs import DEFINITION, agent_beside_tool, as_created
from rota_gateway.domain.checks import Surroundings
from rota_gateway.edge.unit import ApiRoute, CurrentUnit
from rota_gateway.errors import ConflictError, FieldError, InvalidError
from rota_gateway.repository import access, jobs

router = APIRouter(tags=["jobs"], route_class=ApiRoute)

MAX_JOBS = 1_000
# More are no help to anybody.
MAX_ERRORS = 100


class Batch(Input):
    jobs: Annotated[list[JobInput], Field(min_length=1, max_length=MAX_JOBS)]


class Created(Answer):
    ids: list[UUID] = Field(description="in the order of the definitions")


@router.post("/contexts/{context_id}/jobs:batch", status_code=201)
async def create_jobs(context_id: UUID, batch: Batch, unit: CurrentUnit) -> Created:
    """Creates all of the jobs, or none; an error names the index, like `jobs[3].cron_expression`."""
    await access.require(unit.connection, context_id, "write")
    definitions = [job.model_dump() for job in batch.jobs]
    around = await surroundings(unit.connection, context_id, definitions)
    sent = [job.model_fields_set for job in batch.jobs]
    # A thousand odd schedules take a while to look at.
    wrong = await asyncio.to_thread(_wrong, definitions, sent, around)
    if errors := [*wrong, *_doubled(definitions)]:
        raise InvalidError(errors[:MAX_ERRORS])
    names = [definition["name"] for definition in definitions]
    if taken := await jobs.taken_names(unit.connection, context_id, names):
        message = "A job of this name exists in the context already."
        fields = [_at(names.index(name), "name", message) for name in sorted(taken, key=names.index)]
        raise ConflictError(f"{len(taken)} of the names exist in the context already.", fields[:MAX_ERRORS])
    owned = {"context_id": str(context_id), "owner_id": str(unit.caller.id)}
    values = [{**_plain(one, around), **owned, "id": str(uuid4())} for one in definitions]
    added = await jobs.add_all(unit.connection, values)
    unit.hints.extend(change_of(job, "created") for job in added)
    return Created(ids=[UUID(one["id"]) for one in values])


def _wrong(
    definitions: Sequence[dict[str, Any]], sent: Sequence[set[str]], around: Surroundings
) -> list[FieldError]:
    errors = []
    for index, (values, fields) in enumerate(zip(definitions, sent, strict=True)):
        found = errors_of(as_created(values, around.now), around, DEFINITION)
        if problem := agent_beside_tool(values, fields):
            found.append(FieldError(*problem))
        errors += [_at(index, field, message) for field, message in found]
    return errors


def _doubled(definitions: Sequence[dict[str, Any]]) -> list[FieldError]:
    first: dict[str, int] = {}
    errors = []
    for index, definition in enumerate(definitions):
        other = first.setdefault(definition["name"], index)
        if other != index:
            errors.append(_at(index, "name", f"is that of jobs[{other}] too; names are unique in a context"))
    return errors


def _at(index: int, field: str, message: str) -> FieldError:
    return FieldError(f"jobs[{index}].{field}", message)


def _plain(definition: dict[str, Any], around: Surroundings) -> dict[str, Any]:
    """As JSON has it."""
    days = calendar_dates(definition, around)
    return {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in {
            **definition,
            "excluded_dates": [day.isoformat() for day in definition["excluded_dates"]],
            "calendar_dates": [day.isoformat() for day in days],
        }.items()
    }
