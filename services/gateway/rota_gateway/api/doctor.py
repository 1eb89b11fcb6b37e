"""Does the ledger account for everything that was due?"""

import asyncio
from datetime import datetime
from typing import Any
from uuid import UUID

from fastapi import APIRouter
from pydantic import ConfigDict, Field

from rota_gateway.api.answers import Answer, Instant
from rota_gateway.domain.audit import (
    EVER,
    Audit,
    Piece,
    Window,
    audit,
    before_the_job,
    difference,
    missing_or_surplus,
)
from rota_gateway.edge.unit import ApiRoute, CurrentUnit, Unit
from rota_gateway.repository import access, audits, clock, occurrences
from rota_gateway.repository.connection import Row
from rota_gateway.row_by_row import gaps_in

router = APIRouter(tags=["doctor"], route_class=ApiRoute)

PAGE = 500
MAX_NAMED = 1_000
# Of one job.
GAPS_NAMED = 20


class Difference(Answer):
    model_config = ConfigDict(validate_by_name=True)

    job_id: UUID
    name: str
    since: Instant = Field(alias="from")
    until: Instant
    expected: int
    accounted: int
    note: str


class Behind(Answer):
    """A job whose timer is over for more than a minute."""

    job_id: UUID
    name: str
    since: Instant


class Unplanned(Answer):
    job_id: UUID
    name: str
    reason: str


class Report(Answer):
    jobs_checked: int
    instants_expected: int
    instants_accounted: int
    differences: list[Difference]
    behind: list[Behind]
    unplanned: list[Unplanned]


@router.get("/doctor")
async def examine(unit: CurrentUnit, context_id: UUID | None = None) -> Report:
    """Counts by the definitions what was due, and compares it with the ledger; names what differs.

    From the creation of each job, or its first row where it is older than the ledger, to where the ticker
    has come. At most 1,000 of each kind are named.
    """
    if context_id is not None:
        await access.require(unit.connection, context_id, "read")
    total = Audit()
    differences: list[dict[str, Any]] = []
    since = await occurrences.since(unit.connection)
    window = Window(since, EVER)
    after: UUID | None = None
    while found := await audits.page(unit.connection, context_id, after, window.since, PAGE):
        now = await clock.now(unit.connection)
        # Months of many jobs take a while to count.
        part = await asyncio.to_thread(audit, found, window, now)
        total.jobs += part.jobs
        total.expected += part.expected
        total.accounted += part.accounted
        total.behind += part.behind
        total.unplanned += part.unplanned
        for job in found:
            if len(differences) >= MAX_NAMED:
                break
            if job["id"] in part.doubtful:
                differences += await _differences(unit, job, part.doubtful[job["id"]], since)
            elif job["id"] in part.unclear:
                differences += await _row_by_row(unit, job, part.unclear[job["id"]])
        after = found[-1]["id"]
    return Report(
        jobs_checked=total.jobs,
        instants_expected=total.expected,
        instants_accounted=total.accounted,
        differences=[Difference.model_validate(one) for one in differences[:MAX_NAMED]],
        behind=[Behind.model_validate(one) for one in total.behind[:MAX_NAMED]],
        unplanned=[Unplanned.model_validate(one) for one in total.unplanned[:MAX_NAMED]],
    )


async def _differences(unit: Unit, job: Row, due: list[Piece], since: datetime) -> list[dict[str, Any]]:
    """Which of its definitions the sums differ for."""
    sums = await audits.sums(unit.connection, job["id"], [(piece.after, piece.until) for piece in due])
    found = [
        difference(job, piece, accounted, last) for piece, (accounted, last) in zip(due, sums, strict=True)
    ]
    if outside := job["accounted"] - sum(accounted for accounted, _ in sums):
        found.append(before_the_job(job, outside, since))
    return [one for one in found if one] or await _row_by_row(unit, job, due)


async def _row_by_row(unit: Unit, job: Row, due: list[Piece]) -> list[dict[str, Any]]:
    gaps = await gaps_in(unit.connection, job, due)
    return [missing_or_surplus(job, gap) for gap in gaps[:GAPS_NAMED]]
