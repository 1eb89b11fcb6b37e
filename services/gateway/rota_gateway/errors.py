"""Why a request is refused, each with the HTTP status that says so.

`errors` names the fields of the input that are wrong.
"""

from collections.abc import Mapping, Sequence
from typing import ClassVar, NamedTuple

from rota_chassis.errors import PermanentError


class FieldError(NamedTuple):
    field: str
    message: str


class RequestError(PermanentError):
    """The caller gets this as a problem document."""

    status: ClassVar[int]

    def __init__(
        self,
        detail: str,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.errors = tuple(errors)
        self.headers = dict(headers or {})


class MalformedError(RequestError):
    status = 400


class UnauthenticatedError(RequestError):
    status = 401

    def __init__(self, detail: str) -> None:
        super().__init__(detail, headers={"WWW-Authenticate": 'Bearer realm="rota"'})


class ForbiddenError(RequestError):
    status = 403


class NotFoundError(RequestError):
    """It does not exist, or the caller may not know that it does."""

    status = 404

    def __init__(self, noun: str, *, remedy: str = "") -> None:
        super().__init__(f"There is no such {noun}. {remedy}".rstrip())


class ConflictError(RequestError):
    status = 409


class TooLargeError(RequestError):
    status = 413

    def __init__(self, limit_bytes: int) -> None:
        super().__init__(f"The body is larger than {limit_bytes // 1024**2} MiB.")


class ContentTypeError(RequestError):
    status = 415


class InvalidError(RequestError):
    status = 422

    def __init__(self, errors: Sequence[FieldError]) -> None:
        super().__init__("; ".join(f"{field}: {message}" for field, message in errors), errors)


class TooManyRequestsError(RequestError):
    status = 429


class UnavailableError(RequestError):
    """Something that the gateway needs is away; the same request may succeed soon."""

    status = 503

    def __init__(self, detail: str) -> None:
        super().__init__(detail, headers={"Retry-After": "2"})
