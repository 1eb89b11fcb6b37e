"""One call of a tool: for whom it is made, what it may sign in with, and what makes it unlike any other."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol
from uuid import UUID

from rota_chassis import logs
from rota_chassis.redaction import Redactor, parts_of
from rota_contracts.credentials import Kind


@dataclass(frozen=True)
class Credential:
    """`settings` may be shown, `secrets` not; `version` changes when it is set anew."""

    name: str
    kind: Kind
    version: str
    settings: Mapping[str, Any]
    secrets: Mapping[str, str] = field(repr=False)


class Credentials(Protocol):
    async def open(self, context_id: UUID, name: str) -> Credential:
        """Raises CredentialError: there is none of that name, or it cannot be opened."""
        ...


class RefusedError(ValueError):
    """A tool does not do this, however often it is asked; says why."""


class AnsweredError(Exception):
    """The other side answered that it failed: `answer` says so in its first line, and why after it."""

    def __init__(self, answer: str) -> None:
        super().__init__(answer.partition("\n")[0])
        self.answer = answer


class CredentialError(RefusedError):
    """There is nothing to sign in with; says what to do."""


class NoCredentials:
    """Of an executor that has none."""

    async def open(self, context_id: UUID, name: str) -> Credential:  # noqa: ARG002  as others have it
        raise CredentialError(f"there is no credential {name!r} here")


@dataclass(frozen=True)
class ToolCall:
    """What a tool may know beside its arguments. A third party's tool gets the same."""

    context_id: UUID
    job_id: UUID
    run_id: UUID
    call_id: str
    # What this run noted so far for the next ones of its job; None: forget it. Kept with its outcome.
    notes: dict[str, str | None] = field(default_factory=dict)
    credentials: Credentials = field(default_factory=NoCredentials)
    # What must not be told, of the whole run.
    hidden: Redactor = field(default_factory=Redactor)

    @property
    def idempotency_key(self) -> str:
        """For providers that do a thing once per key, whoever asks again."""
        return f"{self.run_id}/{self.call_id}"

    async def credential(self, name: str, kind: Kind) -> Credential:
        """A credential of the context; from then on its secrets are taken out of whatever the run says.

        Raises:
            CredentialError: there is none of that name and kind.

        """
        found = await self.credentials.open(self.context_id, name)
        if found.kind != kind:
            raise CredentialError(f"the credential {name!r} is of kind {found.kind}, not of kind {kind}")
        self.hide(found.secrets.values())
        return found

    def hide(self, secrets: Iterable[str]) -> None:
        """Takes these, too, out of whatever the run says: what was got for a credential, say."""
        known = [part for secret in secrets for part in parts_of(secret)]
        self.hidden.add(known)
        logs.hide(known)
