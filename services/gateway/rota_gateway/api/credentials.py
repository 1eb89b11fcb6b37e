"""What tools of a context sign in with: it goes in here, and never comes out."""

from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Path, Request
from starlette.responses import Response

from rota_contracts.credentials import place_of
from rota_gateway.api.answers import Answer, Instant
from rota_gateway.api.credential_fields import CREDENTIAL_NAME, CredentialInput, parted
from rota_gateway.edge.gateway import gateway_of
from rota_gateway.edge.paging import Page
from rota_gateway.edge.unit import ApiRoute, CurrentUnit
from rota_gateway.errors import ConflictError, ForbiddenError, NotFoundError
from rota_gateway.repository import access, credentials
from rota_vault import SealError, Vault

router = APIRouter(tags=["credentials"], route_class=ApiRoute)

MAX_OF_CONTEXT = 100
BATCH = 200
Name = Annotated[str, Path(min_length=1, max_length=64, pattern=CREDENTIAL_NAME)]


class Credential(Answer):
    """Without what is secret in it: that is opened by the executor alone."""

    id: UUID
    context_id: UUID
    name: str
    kind: Literal["secret", "http", "google"]
    settings: dict[str, Any]
    created_by: str | None
    created_at: Instant
    updated_at: Instant


class Rotated(Answer):
    resealed: int
    unreadable: int


@router.get("/contexts/{context_id}/credentials")
async def list_credentials(context_id: UUID, unit: CurrentUnit) -> Page[Credential]:
    await access.require(unit.connection, context_id, "read")
    found = await credentials.of_context(unit.connection, context_id)
    return Page(items=[Credential.model_validate(one) for one in found], next_cursor=None)


@router.put("/contexts/{context_id}/credentials/{name}")
async def set_credential(
    context_id: UUID, name: Name, given: CredentialInput, unit: CurrentUnit, request: Request
) -> Credential:
    """Adds it, or replaces the one of that name."""
    await access.require(unit.connection, context_id, "own")
    vault = _vault(request)
    known = await credentials.get(unit.connection, context_id, name)
    if known is None and await credentials.count(unit.connection, context_id) >= MAX_OF_CONTEXT:
        raise ConflictError(f"A context has at most {MAX_OF_CONTEXT} credentials: delete one first.")
    shown, secrets = parted(given)
    await credentials.put(
        unit.connection,
        context_id,
        name,
        kind=given.kind,
        settings=shown,
        sealed=vault.seal(place_of(context_id, name), secrets),
        user_id=unit.caller.id,
    )
    stored = await credentials.get(unit.connection, context_id, name)
    assert stored is not None
    return Credential.model_validate(stored)


@router.delete("/contexts/{context_id}/credentials/{name}", status_code=204)
async def delete_credential(context_id: UUID, name: Name, unit: CurrentUnit) -> Response:
    await access.require(unit.connection, context_id, "own")
    if not await credentials.delete(unit.connection, context_id, name):
        raise NotFoundError("credential")
    return Response(status_code=204)


@router.post("/credentials/rotate")
async def rotate_credentials(unit: CurrentUnit, request: Request) -> Rotated:
    """Seals every credential under the first key of the list, so that the others may be taken out of it."""
    if not unit.caller.is_admin:
        raise ForbiddenError("Only an administrator may rotate the keys.")
    vault = _vault(request)
    resealed = unreadable = 0
    after: UUID | None = None
    while found := await credentials.sealed(unit.connection, after, BATCH):
        for one in found:
            try:
                await credentials.reseal(unit.connection, one["id"], vault.reseal(one["sealed"]))
                resealed += 1
            except SealError:
                unreadable += 1
        after = found[-1]["id"]
    return Rotated(resealed=resealed, unreadable=unreadable)


def _vault(request: Request) -> Vault:
    vault = gateway_of(request).vault
    if vault is None:
        raise ConflictError(
            "This installation has no key to seal credentials with: set ROTA_CREDENTIAL_KEYS "
            "for the gateway and the executor."
        )
    return vault
