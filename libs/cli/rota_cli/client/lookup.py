"""People name contexts and jobs; the API knows them by id."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from rota_cli.client.api import Api
from rota_cli.errors import CliError


def context_id(api: Api, text: str) -> str:
    """The id of the context with this id or name."""
    if is_id(text):
        return text
    return _only(
        "context", text, [found for found in api.items("/contexts") if found["name"] == text], "list"
    )


def job_id(api: Api, text: str, *, context: str | None = None) -> str:
    """The id of the job with this id or name; names are unique within a context only."""
    if is_id(text):
        return text
    path = f"/contexts/{context_id(api, context)}/jobs" if context else "/jobs"
    return _only("job", text, [found for found in api.items(path) if found["name"] == text], "list")


def calendar_id(api: Api, text: str, *, context: str | None) -> str:
    """The id of the calendar with this id, or with this name in the context."""
    if is_id(text):
        return text
    if context is None:
        raise CliError(f"{text!r} is no id of a calendar", remedy="name its context with --context")
    found = [
        found
        for found in api.items(f"/contexts/{context_id(api, context)}/calendars")
        if found["name"] == text
    ]
    return _only("calendar", text, found, "list")


def user_id(api: Api, text: str) -> str:
    """The id of the user with this id or email address."""
    return text if is_id(text) else _only("user", text, api.items("/users", email=text), "list")


def is_id(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


def _only(kind: str, name: str, found: list[dict[str, Any]], command: str) -> str:
    if len(found) == 1:
        return str(found[0]["id"])
    if not found:
        raise CliError(f"there is no {kind} {name!r}", remedy=f"see 'rota {kind}s {command}'")
    candidates = "\n".join(f"  {_candidate(one)}" for one in found)
    raise CliError(
        f"{len(found)} {kind}s are called {name!r}:\n{candidates}", remedy="give the id instead of the name"
    )


def _candidate(one: Mapping[str, Any]) -> str:
    where = f"  in context {one['context_name']!r}" if one.get("context_name") else ""
    return f"{one['id']}{where}"
