"""One statement, its rows as dictionaries, and the refusals of the database as errors of ours."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rota_gateway.errors import ConflictError, FieldError, ForbiddenError, NotFoundError, RequestError
from rota_store import Connection, StatementError

__all__ = ["Connection", "Row", "decoded", "row", "rows", "run"]

Row = dict[str, Any]

UNIQUE = {
    "uq_users_email": FieldError("email", "There is a user of this address already: change that one."),
    "uq_contexts_name": FieldError("name", "A context of this name exists already."),
    "uq_scheduled_jobs_context_id_name": FieldError(
        "name", "A job of this name exists in the context already."
    ),
    "uq_calendars_context_id_name": FieldError(
        "name", "A calendar of this name exists in the context already."
    ),
    "uq_budgets_context_id_job_id_agent_name_period": FieldError(
        "period", "There is a budget of that period for it already: change that one."
    ),
    "uq_agent_configurations_context_id_name": FieldError(
        "name", "An agent of this name exists there already."
    ),
}
GONE = {
    "fk_budgets_context_id": "context",
    "fk_budgets_job_id": "job",
    "fk_scheduled_jobs_context_id": "context",
    "fk_calendars_context_id": "context",
    "fk_agent_configurations_context_id": "context",
    "fk_run_requests_job_id": "job",
    "fk_memberships_context_id": "context",
}


async def rows(connection: Connection, statement: str, **values: Any) -> list[Row]:
    with _refusals():
        return [dict(found) for found in await connection.fetch(statement, values)]


async def row(connection: Connection, statement: str, **values: Any) -> Row | None:
    found = await rows(connection, statement, **values)
    return found[0] if found else None


async def run(connection: Connection, statement: str, **values: Any) -> int:
    """Executes a statement that returns nothing; the number of rows it touched."""
    with _refusals():
        return await connection.execute(statement, values)


def decoded(value: str | None) -> Any:
    """A JSONB column, which the store hands over as text."""
    return None if value is None else json.loads(value)


@contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except StatementError as error:
        if (refusal := _refusal(error)) is None:
            raise
        raise refusal from error


def _refusal(error: StatementError) -> RequestError | None:
    state, constraint = error.sqlstate, error.constraint or ""
    if state == "23505" and (field := UNIQUE.get(constraint)):
        return ConflictError(field.message, [field])
    if state == "23503" and (noun := GONE.get(constraint)):
        return NotFoundError(noun)
    if state == "42501":
        return ForbiddenError("Your role does not allow this.")
    return None
