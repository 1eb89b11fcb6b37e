"""The page at /: totals, jobs, the latest results, the bell. Live pages fetch the fragment of it."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from rota_gateway.api.jobs import list_jobs, run_job, toggle_job
from rota_gateway.api.notifications import list_notifications, read_all_notifications
from rota_gateway.api.runs import list_runs
from rota_gateway.edge.paging import CurrentPaging, Paging
from rota_gateway.edge.unit import CurrentUnit, Unit, UnitRoute
from rota_gateway.repository import access, jobs
from rota_gateway.web.rendering import render

router = APIRouter(route_class=UnitRoute)

LATEST = Paging(limit=10, after=None)
FIRST = Paging(limit=50, after=None)


@router.get("/")
async def page(unit: CurrentUnit, paging: CurrentPaging, cursor: str | None = None) -> Response:
    return render("overview.html", caller=unit.caller, **await _content(unit, paging, cursor))


@router.get("/overview")
async def fragment(unit: CurrentUnit, paging: CurrentPaging, cursor: str | None = None) -> Response:
    return render("_overview.html", **await _content(unit, paging, cursor))


@router.post("/jobs/{job_id}/run")
async def run_now(job_id: UUID, request: Request, unit: CurrentUnit) -> Response:
    await run_job(job_id, unit)
    return await _done(request, unit, "The run is on its way.")


@router.post("/jobs/{job_id}/toggle")
async def toggle(job_id: UUID, request: Request, unit: CurrentUnit) -> Response:
    await toggle_job(job_id, unit)
    return await _done(request, unit)


@router.post("/notifications/read-all")
async def read_all(request: Request, unit: CurrentUnit) -> Response:
    await read_all_notifications(unit)
    return await _done(request, unit)


async def _done(request: Request, unit: Unit, message: str = "") -> Response:
    """The page as it is now: its fragment for a live page, a redirect without JavaScript."""
    if "hx-request" not in request.headers:
        return RedirectResponse("/", status_code=303)
    return render("_overview.html", **{**await _content(unit, FIRST, None), "message": message})


async def _content(unit: Unit, paging: Paging, cursor: str | None) -> dict[str, Any]:
    return {
        "totals": await jobs.totals(unit.connection),
        "jobs": await list_jobs(unit, paging),
        "writable": await access.writable_contexts(unit.connection),
        "runs": await list_runs(unit, LATEST),
        "bell": await list_notifications(unit, LATEST),
        "cursor": cursor,
        "message": "",
    }
