"""Who I am, my API keys, and links that sign a browser in."""

from datetime import UTC, datetime, timedelta
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter
from pydantic import AfterValidator, AwareDatetime, Field
from starlette.requests import Request

from rota_gateway.api.answers import Answer, Instant
from rota_gateway.api.fields import Input, Label
from rota_gateway.edge.gateway import gateway_of
from rota_gateway.edge.paging import CurrentPaging, Page
from rota_gateway.edge.unit import ApiRoute, CurrentUnit, Unit
from rota_gateway.errors import FieldError, InvalidError, NotFoundError
from rota_gateway.repository import api_keys, identities
from rota_gateway.tokens import digest, new_api_key, new_token, shown_prefix

router = APIRouter(tags=["identity"], route_class=ApiRoute)

LINK_LIFE = timedelta(hours=24)
# Beyond this a key may as well never expire; the far end of the calendar is no instant in every zone.
MAX_KEY_LIFE = timedelta(days=36_525)


class Me(Answer):
    id: UUID
    email: str
    display_name: str
    is_admin: bool


class ApiKey(Answer):
    id: UUID
    name: str
    prefix: str
    created_at: Instant
    last_used_at: Instant | None
    expires_at: Instant | None
    revoked_at: Instant | None


class NewApiKey(ApiKey):
    key: str = Field(description="shown this once")


def _to_come(instant: datetime) -> datetime:
    now = datetime.now(UTC)
    if not now < instant <= now + MAX_KEY_LIFE:
        raise ValueError("must be in the future, within a hundred years")
    return instant


class ApiKeyInput(Input):
    name: Label
    # JSON has no instants: here a string is the right type.
    expires_at: Annotated[AwareDatetime, Field(strict=False), AfterValidator(_to_come)] | None = None


class SignInLink(Answer):
    url: str


@router.get("/me")
async def get_me(unit: CurrentUnit) -> Me:
    return Me.model_validate(unit.caller, from_attributes=True)


@router.get("/api-keys")
async def list_api_keys(unit: CurrentUnit, paging: CurrentPaging) -> Page[ApiKey]:
    """Yours, newest first."""
    found = await api_keys.page(unit.connection, unit.caller.id, paging.after, paging.fetch)
    return paging.page(found, ApiKey.model_validate)


@router.post("/api-keys", status_code=201)
async def create_api_key(definition: ApiKeyInput, unit: CurrentUnit) -> NewApiKey:
    return await issue(unit, unit.caller.id, definition)


async def issue(unit: Unit, user_id: UUID, definition: ApiKeyInput) -> NewApiKey:
    """A key with which the user calls from now on."""
    if definition.name == api_keys.BOOTSTRAP_NAME:
        raise InvalidError([FieldError("name", "This name is kept for the key that the system starts with.")])
    key = new_api_key()
    added = await api_keys.add(
        unit.connection,
        user_id,
        name=definition.name,
        prefix=shown_prefix(key),
        key_hash=digest(key),
        expires_at=definition.expires_at,
    )
    unit.holds_secret = True
    return NewApiKey.model_validate({**added, "key": key})


@router.delete("/api-keys/{key_id}", status_code=204)
async def revoke_api_key(key_id: UUID, unit: CurrentUnit) -> None:
    if not await api_keys.revoke(unit.connection, unit.caller.id, key_id):
        raise NotFoundError("API key")


@router.post("/sign-in-links", status_code=201)
async def create_sign_in_link(request: Request, unit: CurrentUnit) -> SignInLink:
    """A link that signs you in once, within a day."""
    token = new_token()
    await identities.add_sign_in_link(unit.connection, unit.caller.id, digest(token), LINK_LIFE)
    unit.holds_secret = True
    return SignInLink(url=f"{gateway_of(request).public_url(request)}/sign-in?token={token}")
