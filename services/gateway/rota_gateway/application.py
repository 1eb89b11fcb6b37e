"""The HTTP application: routes, middleware, one error path."""

from collections.abc import Mapping
from importlib.metadata import version

from fastapi import APIRouter, Depends, FastAPI
from fastapi.security import HTTPBearer

from rota_chassis.health import Check, health_routes
from rota_gateway.api import (
    agents,
    applying,
    approvals,
    backfills,
    batches,
    budgets,
    calendars,
    contexts,
    continuity,
    credentials,
    doctor,
    effects,
    events,
    exporting,
    following,
    grants,
    identity,
    jobs,
    mcp_servers,
    members,
    notebooks,
    notifications,
    occurrences,
    runs,
    schedules,
    tools,
    usage,
    users,
)
from rota_gateway.edge import problems
from rota_gateway.edge.body import BodyLimit
from rota_gateway.edge.csrf import CrossSiteProtection
from rota_gateway.edge.gateway import Gateway
from rota_gateway.edge.head import HeadAsGet
from rota_gateway.edge.headers import SecurityHeaders
from rota_gateway.web import docs, overview, sign_in
from rota_gateway.web.assets import Assets

API = (
    contexts,
    members,
    jobs,
    batches,
    notebooks,
    continuity,
    occurrences,
    backfills,
    calendars,
    schedules,
    doctor,
    runs,
    following,
    approvals,
    grants,
    effects,
    notifications,
    agents,
    budgets,
    usage,
    tools,
    mcp_servers,
    credentials,
    applying,
    exporting,
    identity,
    users,
    events,
)
PAGES = (overview, sign_in, docs)


def build(gateway: Gateway, checks: Mapping[str, Check]) -> FastAPI:
    app = FastAPI(
        title="Rota",
        version=version("rota-gateway"),
        openapi_url="/api/openapi.json",
        # Both load scripts from elsewhere, which the Content-Security-Policy forbids.
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.gateway = gateway
    problems.install(app)
    # auto_error is off: the scheme is for the OpenAPI document, edge.caller decides.
    bearer = HTTPBearer(auto_error=False, description="an API key: rota_…")
    api = APIRouter(prefix="/api/v1", dependencies=[Depends(bearer)])
    for noun in API:
        api.include_router(noun.router)
    app.include_router(api)
    for page in PAGES:
        app.include_router(page.router, include_in_schema=False)
    app.router.routes.extend(health_routes(checks))
    app.mount("/static", Assets())
    app.add_middleware(BodyLimit)
    app.add_middleware(CrossSiteProtection, public_url=gateway.settings.public_url)
    app.add_middleware(SecurityHeaders)
    app.add_middleware(HeadAsGet)
    return app
