"""People: administrators make them, hand them a first API key, and shut them out."""

from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from pydantic import Field

from rota_gateway.api.answers import Answer, Instant
from rota_gateway.api.fields import Email, Input, Line, Patch
from rota_gateway.api.identity import ApiKey, ApiKeyInput, NewApiKey, issue
from rota_gateway.edge.paging import CurrentPaging, Page
from rota_gateway.edge.unit import ApiRoute, CurrentUnit
from rota_gateway.errors import ConflictError, ForbiddenError, NotFoundError
from rota_gateway.repository import access_changes, api_keys, identities, users
from rota_gateway.repository.connection import Row

ONLY_ADMINISTRATORS = "Only an administrator may see and change users. Yours is /me, and /api-keys."


def _for_administrators(unit: CurrentUnit) -> None:
    if not unit.caller.is_admin:
        raise ForbiddenError(ONLY_ADMINISTRATORS)


router = APIRouter(tags=["users"], route_class=ApiRoute)
administration = APIRouter(dependencies=[Depends(_for_administrators)], route_class=ApiRoute)

DisplayName = Annotated[Line, Field(max_length=255, description="shown instead of the address")]
IsAdmin = Annotated[bool, Field(description="may do everything in every context, and make users")]


class User(Answer):
    id: UUID
    email: str
    display_name: str
    is_admin: bool
    is_enabled: bool = Field(description="who is not is not let in; jobs and memberships stay")
    created_at: Instant


class UserInput(Input):
    email: Email = Field(description="a name to sign in under; in small letters")
    display_name: DisplayName = ""
    is_admin: IsAdmin = False


class UserPatch(Patch):
    display_name: DisplayName = ""
    is_admin: IsAdmin = False
    is_enabled: bool = Field(
        default=True, description="false: keys are refused from now on, sessions and sign-in links are gone"
    )


class AccessChange(Answer):
    """Somebody may do something else from then on."""

    id: UUID
    context_id: UUID | None = Field(description="of a role")
    user_id: UUID
    email: str = Field(description="whose access it is")
    field: Literal["role", "is_admin", "is_enabled", "api_key"]
    old: str | None = Field(description="of an API key its prefix; null: there was none")
    new: str | None = Field(description="null: there is none, or not any more")
    changed_by: str | None = Field(description="null: the bootstrap, or whoever may write SQL")
    created_at: Instant


@administration.get("/users")
async def list_users(
    unit: CurrentUnit, paging: CurrentPaging, email: Annotated[Email | None, Query()] = None
) -> Page[User]:
    """Oldest first."""
    found = await users.page(unit.connection, paging.after, paging.fetch, email=email)
    return paging.page(found, User.model_validate)


@administration.post("/users", status_code=201)
async def create_user(definition: UserInput, unit: CurrentUnit) -> User:
    """They may do nothing until they have an API key, and see no context until they are a member of one."""
    return User.model_validate(await users.add(unit.connection, definition.model_dump()))


@administration.get("/users/{user_id}")
async def get_user(user_id: UUID, unit: CurrentUnit) -> User:
    return User.model_validate(await _found(unit, user_id))


@administration.patch("/users/{user_id}")
async def update_user(user_id: UUID, patch: UserPatch, unit: CurrentUnit) -> User:
    """One administrator who may sign in always stays."""
    stored = await _found(unit, user_id)
    changes: dict[str, Any] = patch.model_dump(exclude_unset=True)
    takes_away = False in (changes.get("is_admin"), changes.get("is_enabled"))
    if takes_away and await users.hold_administrators(unit.connection) == {user_id}:
        raise ConflictError("This is the last administrator: make somebody else one first.")
    if changes and not await users.update(unit.connection, user_id, changes):
        raise ForbiddenError(ONLY_ADMINISTRATORS)
    # Also when they are let in again: a request of theirs may have begun a session while they were shut out.
    if changes.get("is_enabled", stored["is_enabled"]) != stored["is_enabled"]:
        await identities.close_all(unit.connection, user_id)
    return await get_user(user_id, unit)


@administration.get("/users/{user_id}/api-keys")
async def list_api_keys_of_user(user_id: UUID, unit: CurrentUnit, paging: CurrentPaging) -> Page[ApiKey]:
    """Newest first."""
    await _found(unit, user_id)
    found = await api_keys.page(unit.connection, user_id, paging.after, paging.fetch)
    return paging.page(found, ApiKey.model_validate)


@administration.post("/users/{user_id}/api-keys", status_code=201)
async def create_api_key_of_user(user_id: UUID, definition: ApiKeyInput, unit: CurrentUnit) -> NewApiKey:
    """A first one, to be handed over; it signs a browser in too. They make others themselves."""
    await _found(unit, user_id)
    return await issue(unit, user_id, definition)


@administration.delete("/users/{user_id}/api-keys/{key_id}", status_code=204)
async def revoke_api_key_of_user(user_id: UUID, key_id: UUID, unit: CurrentUnit) -> None:
    if not await api_keys.revoke(unit.connection, user_id, key_id):
        raise NotFoundError("API key")


@router.get("/access-changes")
async def list_access_changes(
    unit: CurrentUnit, paging: CurrentPaging, context_id: UUID | None = None, user_id: UUID | None = None
) -> Page[AccessChange]:
    """Who may do what since when, and who decided it, newest first.

    Yours, and the roles in your contexts; administrators see those of everybody.
    """
    found = await access_changes.page(
        unit.connection, paging.after, paging.fetch, context_id=context_id, user_id=user_id
    )
    return paging.page(found, AccessChange.model_validate)


async def _found(unit: CurrentUnit, user_id: UUID) -> Row:
    found = await users.get(unit.connection, user_id)
    if found is None:
        raise NotFoundError("user")
    return found


router.include_router(administration)
