"""A credential as people give it. No message here ever repeats what was given."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from rota_gateway.api.context_fields import Host
from rota_gateway.api.fields import Input
from rota_gateway.errors import FieldError, InvalidError

# What is shorter could not be taken out of a text again without taking words with it.
MIN_SECRET = 8
CREDENTIAL_NAME = r"^[A-Za-z0-9][A-Za-z0-9_.-]*$"
# Of each kind: what may be shown, and what is sealed.
SHOWN = {"secret": (), "http": ("hosts", "header"), "google": ("client_id",)}
SEALED = {"secret": ("value",), "http": ("value",), "google": ("client_secret", "refresh_token")}
CONNECTIONS_OWN = frozenset(
    {"host", "connection", "content-length", "transfer-encoding", "upgrade", "te", "trailer", "keep-alive"}
)
DEFAULTS = {"header": "Authorization"}


def _one_line(value: str) -> str:
    if not value.isprintable() or value != value.strip():
        raise ValueError("must be one line of printable characters, without space around it")
    return value


def _header(value: str) -> str:
    if value.lower() in CONNECTIONS_OWN:
        raise ValueError("is set by the connection itself: name another header")
    return value


Line = Annotated[str, Field(min_length=1, max_length=1_000), AfterValidator(_one_line)]
Secret = Annotated[str, Field(min_length=MIN_SECRET, max_length=10_000), AfterValidator(_one_line)]


class CredentialInput(Input):
    """secret: for tools of third parties. http: a header for requests to some hosts. google: for Gmail."""

    kind: Literal["secret", "http", "google"]
    value: Secret | None = Field(
        default=None, description="of secret and http; of a header the whole, like Bearer abc…"
    )
    hosts: Annotated[list[Host], Field(min_length=1, max_length=20)] | None = Field(
        default=None, description="of http: the only ones that the header is sent to"
    )
    header: (
        Annotated[
            str, Field(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9-]+$"), AfterValidator(_header)
        ]
        | None
    ) = Field(default=None, description="of http; default Authorization")
    client_id: Line | None = Field(
        default=None, description="of google: the OAuth client that got the refresh token"
    )
    client_secret: Secret | None = Field(default=None, description="of google")
    refresh_token: Secret | None = Field(default=None, description="of google")


def parted(given: CredentialInput) -> tuple[dict[str, Any], dict[str, str]]:
    """What may be shown, and what is sealed.

    Raises:
        InvalidError: something is missing, or of another kind.

    """
    fields = {**DEFAULTS, **given.model_dump(exclude={"kind"}, exclude_none=True)}
    shown, sealed = SHOWN[given.kind], SEALED[given.kind]
    wanted = {*shown, *sealed}
    errors = [
        FieldError(name, f"is missing: a credential of kind {given.kind} has one")
        for name in sorted(wanted - fields.keys())
    ]
    errors += [
        FieldError(name, f"is not of a credential of kind {given.kind}: leave it out")
        for name in sorted(given.model_fields_set - {"kind"} - wanted)
    ]
    if errors:
        raise InvalidError(errors)
    return {name: fields[name] for name in shown}, {name: fields[name] for name in sealed}
