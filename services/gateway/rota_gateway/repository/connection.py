"""One statement, its rows as dictionaries, and the refusals of the database as errors of ours."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import CursorResult, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from rota_gateway.errors import ConflictError, FieldError, ForbiddenError, NotFoundError, RequestError

Connection = AsyncConnection
Row = dict[str, Any]

UNIQUE = {
    "uq_contexts_name": FieldError("name", "A context of this name exists already."),
    "uq_scheduled_jobs_context_id_name": FieldError(
        "name", "A job of this name exists in the context already."
    ),
}
GONE = {
    "fk_scheduled_jobs_context_id": "context",
    "fk_run_requests_job_id": "job",
    "fk_memberships_context_id": "context",
}


async def rows(connection: Connection, statement: str, **values: Any) -> list[Row]:
    with _refusals():
        result = await connection.execute(text(statement), values)
        return [dict(row) for row in result.mappings()]


async def row(connection: Connection, statement: str, **values: Any) -> Row | None:
    found = await rows(connection, statement, **values)
    return found[0] if found else None


async def run(connection: Connection, statement: str, **values: Any) -> int:
    """Executes a statement that returns nothing; the number of rows it touched."""
    with _refusals():
        result: CursorResult[Any] = await connection.execute(text(statement), values)
        return result.rowcount


def decoded(value: Any) -> Any:
    """A JSONB column of a plain statement, which the driver hands over as text."""
    return json.loads(value) if isinstance(value, str) else value


@contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        if (refusal := _refusal(error)) is None:
            raise
        raise refusal from error


def _refusal(error: DBAPIError) -> RequestError | None:
    state = getattr(error.orig, "sqlstate", None)
    constraint = str(getattr(error.orig.__cause__ if error.orig else None, "constraint_name", ""))
    if state == "23505" and (field := UNIQUE.get(constraint)):
        return ConflictError(field.message, [field])
    if state == "23503" and (noun := GONE.get(constraint)):
        return NotFoundError(noun)
    if state == "42501":
        return ForbiddenError("Your role does not allow this.")
    return None
