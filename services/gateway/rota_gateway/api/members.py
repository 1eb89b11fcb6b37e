"""Members of a context: who reads, writes, decides and owns."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path
from pydantic import Field

from rota_contracts.events import MemberChanged
from rota_gateway.api.answers import Answer, Instant
from rota_gateway.api.context_fields import Role
from rota_gateway.api.fields import Input, Line
from rota_gateway.edge.paging import CurrentPaging, Page
from rota_gateway.edge.unit import ApiRoute, CurrentUnit, Unit
from rota_gateway.errors import ConflictError, NotFoundError
from rota_gateway.repository import access, members, users
from rota_gateway.repository.connection import Row

router = APIRouter(tags=["members"], route_class=ApiRoute)

Who = Annotated[Line, Path(max_length=254, description="a user's id or email address")]


class Member(Answer):
    context_id: UUID
    user_id: UUID
    email: str
    display_name: str
    is_enabled: bool = Field(description="who is not is let in by no key, session or link")
    role: Role
    created_at: Instant


class MemberInput(Input):
    role: Role = Field(
        description="viewers read; operators also decide on calls, grants and effects; editors change agents "
        "and jobs instead; owners do all of it, and say who is a member and what may be spent"
    )


@router.get("/contexts/{context_id}/members")
async def list_members(context_id: UUID, unit: CurrentUnit, paging: CurrentPaging) -> Page[Member]:
    """Oldest first."""
    await access.require(unit.connection, context_id, "read")
    found = await members.page(unit.connection, context_id, paging.after, paging.fetch)
    return paging.page(found, Member.model_validate, key=("created_at", "user_id"))


@router.put("/contexts/{context_id}/members/{user}")
async def set_member(context_id: UUID, user: Who, given: MemberInput, unit: CurrentUnit) -> Member:
    """Makes the user a member, or gives the member another role. Only owners do; one of them always stays."""
    owners = await _owners(unit, context_id)
    user_id = (await _user(unit, user))["id"]
    if given.role != "owner":
        _require_another(owners, user_id)
    await members.put(unit.connection, context_id, user_id, given.role)
    unit.hints.append(MemberChanged(context_id=context_id, user_id=user_id))
    found = await members.get(unit.connection, context_id, user_id)
    assert found is not None
    return Member.model_validate(found)


@router.delete("/contexts/{context_id}/members/{user}", status_code=204)
async def remove_member(context_id: UUID, user: Who, unit: CurrentUnit) -> None:
    """They see no more than their own results until now. What they made, and allowed, stays."""
    owners = await _owners(unit, context_id)
    user_id = (await _user(unit, user))["id"]
    _require_another(owners, user_id)
    if not await members.delete(unit.connection, context_id, user_id):
        raise NotFoundError("member")
    unit.hints.append(MemberChanged(context_id=context_id, user_id=user_id))


async def _owners(unit: Unit, context_id: UUID) -> dict[UUID, bool]:
    """Held before anything is decided: of two owners who remove one another the second is none any more."""
    owners = await members.hold_owners(unit.connection, context_id)
    await access.require(unit.connection, context_id, "own")
    return owners


async def _user(unit: Unit, text: str) -> Row:
    try:
        found = await users.get(unit.connection, UUID(text))
    except ValueError:
        found = await users.by_email(unit.connection, text.strip().lower())
    if found is None:
        raise NotFoundError("user", remedy="Ask an administrator to make one (POST /users).")
    return found


def _require_another(owners: dict[UUID, bool], user_id: UUID) -> None:
    """Somebody else who is let in owns the context too, unless the user owns it not at all."""
    others = {owner for owner, is_enabled in owners.items() if is_enabled and owner != user_id}
    if user_id in owners and not others:
        raise ConflictError(
            "This is the last owner: make somebody else an owner first, or delete the context."
        )
