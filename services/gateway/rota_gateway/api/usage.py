"""What was spent, and what may be."""

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import Field, PlainSerializer

from rota_gateway.api.answers import Answer, Instant
from rota_gateway.api.fields import plain_amount
from rota_gateway.api.schedule_fields import Moment
from rota_gateway.domain.forecasts import MONTH, forecast
from rota_gateway.edge.unit import ApiRoute, CurrentUnit
from rota_gateway.errors import FieldError, InvalidError, NotFoundError
from rota_gateway.repository import access, clock, jobs, usage

router = APIRouter(tags=["usage"], route_class=ApiRoute)

Amount = Annotated[Decimal, PlainSerializer(plain_amount, return_type=str)]
By = Literal["context", "agent", "job", "model", "day"]
MAX_GROUPS = 10_000


class Sums(Answer):
    runs: int
    requests: int = Field(description="to models")
    input_tokens: int
    output_tokens: int
    cost_usd: Amount | None = Field(description="null where no price is known")
    unpriced_requests: int = Field(description="those that cost_usd leaves out: nobody knows their price")


class Group(Sums):
    """What it was not grouped by is null."""

    context_id: UUID | None = None
    context_name: str | None = None
    agent_name: str | None = None
    job_id: UUID | None = None
    job_name: str | None = None
    model: str | None = None
    day: date | None = Field(default=None, description="of UTC")


class Usage(Answer):
    since: Instant
    until: Instant
    total: Sums
    items: list[Group]


class JobUsage(Answer):
    """Of the last 30 days, and of the next."""

    runs: int
    cost_usd: Amount | None = Field(description="of all attempts of these runs")
    cost_per_run_usd: Amount | None
    tokens_per_run: int | None
    unpriced_requests: int = Field(description="those that the costs leave out: nobody knows their price")
    forecast_runs: int = Field(description="how often the job is due")
    forecast_usd: Amount | None
    forecast_tokens: int | None


@router.get("/usage")
async def get_usage(
    unit: CurrentUnit,
    group_by: Annotated[list[By] | None, Query(description="one or several; day where none is given")] = None,
    since: Annotated[
        Moment | None, Query(alias="from", description="30 days before its end where none is given")
    ] = None,
    until: Annotated[Moment | None, Query(description="not included; now where none is given")] = None,
    context_id: UUID | None = None,
    job_id: UUID | None = None,
    agent_name: Annotated[str | None, Query(max_length=255)] = None,
    model: Annotated[str | None, Query(max_length=255)] = None,
) -> Usage:
    """What runs of your contexts spent on models."""
    if context_id is not None:
        await access.require(unit.connection, context_id, "read")
    end: datetime = until or await clock.now(unit.connection)
    begin: datetime = since or end - MONTH
    if begin >= end:
        raise InvalidError([FieldError("from", "must be before until")])
    by = list(dict.fromkeys(group_by or ["day"]))
    filters: dict[str, Any] = {
        "since": begin,
        "until": end,
        "context_id": context_id,
        "job_id": job_id,
        "agent_name": agent_name,
        "model": model,
    }
    found = await usage.groups(unit.connection, by, MAX_GROUPS + 1, **filters)
    if len(found) > MAX_GROUPS:
        message = f"makes more than {MAX_GROUPS} groups: group by less, or ask for a shorter time"
        raise InvalidError([FieldError("group_by", message)])
    total = await usage.total(unit.connection, **filters)
    return Usage(
        since=begin,
        until=end,
        total=Sums.model_validate(total),
        items=[Group.model_validate(one) for one in found],
    )


@router.get("/jobs/{job_id}/usage")
async def get_job_usage(job_id: UUID, unit: CurrentUnit) -> JobUsage:
    """What a run of the job costs, and what it may cost in a month."""
    job = await jobs.get(unit.connection, job_id)
    if job is None:
        raise NotFoundError("job")
    now = await clock.now(unit.connection)
    past = await usage.of_job(unit.connection, job_id, now, MONTH)
    ahead = forecast(job, past, now)
    return JobUsage.model_validate(
        {
            **past,
            "cost_per_run_usd": ahead.cost_per_run_usd,
            "tokens_per_run": ahead.tokens_per_run,
            "forecast_runs": ahead.runs,
            "forecast_usd": ahead.cost_usd,
            "forecast_tokens": ahead.tokens,
        }
    )
