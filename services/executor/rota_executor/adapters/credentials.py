"""Credentials of contexts, opened here and nowhere else."""

import json
from uuid import UUID

from rota_contracts.credentials import place_of
from rota_executor.calls import Credential, CredentialError
from rota_executor.repository.definitions import Definitions
from rota_vault import SealError, Vault


class CredentialStore:
    """Read afresh for each call; without a vault none can be opened."""

    def __init__(self, definitions: Definitions, vault: Vault | None) -> None:
        self._definitions = definitions
        self._vault = vault

    async def open(self, context_id: UUID, name: str) -> Credential:
        """The credential of that name.

        Raises:
            CredentialError: there is none, or it cannot be opened.

        """
        row = await self._definitions.credential(context_id, name)
        if row is None:
            raise CredentialError(
                f"there is no credential {name!r} in this context; "
                f"its owner sets it with 'rota credentials set {name}'"
            )
        if self._vault is None:
            raise CredentialError("this executor has no key to open credentials with (ROTA_CREDENTIAL_KEYS)")
        try:
            secrets = self._vault.open(place_of(context_id, name), row.sealed)
        except SealError as error:
            raise CredentialError(
                f"the credential {name!r} cannot be opened: {error}; set it again, "
                "or give the executor the keys of the gateway (ROTA_CREDENTIAL_KEYS)"
            ) from error
        version = f"{row.id}/{row.updated_at.isoformat()}"
        return Credential(row.name, row.kind, version, json.loads(row.settings), secrets)
