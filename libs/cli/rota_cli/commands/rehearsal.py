"""What a dry run came to, and grants for it."""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from rota_cli.client.session import Session
from rota_cli.client.view import Column, Row
from rota_cli.commands.grant_options import exactly


def show_rehearsal(session: Session, run: Row) -> None:
    """The calls with what would become of each, or the run as JSON where that was asked for."""
    if session.as_json:
        session.show(run)
        return
    columns: list[Column] = [
        ("tool", lambda call: call["tool_name"]),
        ("arguments", _arguments),
        ("would", _would),
    ]
    session.show_list({"items": run["rehearsed_calls"]}, columns, nothing="it called no tool")
    print(f"\ndry run {run['run_id']}: {run['status']}")
    print(run["result_content"] or run["error_message"] or "")


def grant_each(session: Session, job_id: str, calls: Iterable[Mapping[str, Any]]) -> None:
    """Grants for the calls that would ask; each once."""
    asking = {_key(call): call for call in calls if call["policy"] == "ask" and not call["is_granted"]}
    for call in asking.values():
        body = {
            "job_id": job_id,
            "tool_name": call["tool_name"],
            "arguments": exactly(call["arguments"]),
            "note": "after a dry run",
        }
        given = session.api.post("/grants", body)
        print(f"granted {call['tool_name']} {_arguments(call)}: rota grants revoke {given['id']}")


def _would(call: Row) -> str:
    if call["policy"] == "ask":
        return "run, by a grant" if call["is_granted"] else "ask"
    return "run" if call["policy"] == "auto" else "be refused"


def _arguments(call: Row) -> str:
    return msgspec.json.encode(call["arguments"]).decode()


def _key(call: Row) -> tuple[str, str]:
    return call["tool_name"], _arguments(call)
