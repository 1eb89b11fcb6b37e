"""`rota tools`: what agents may be linked with, and jobs may call."""

from typing import Annotated

import typer

from rota_cli.client.lookup import context_id
from rota_cli.client.session import Session, with_session
from rota_cli.client.view import Column, Row


@with_session
def tools(
    session: Session,
    context: Annotated[
        str | None, typer.Option("--context", "-c", help="With those of the MCP servers of a context.")
    ] = None,
) -> None:
    """List the tools that agents may be linked with, and jobs may call."""
    found = session.api.get("/tools", context_id=context and context_id(session.api, context))
    columns: list[Column] = [
        ("name", lambda tool: tool["name"]),
        ("effect", lambda tool: tool["effect"]),
        ("policy", lambda tool: tool["policy"]),
        ("from", lambda tool: tool["source"]),
        ("takes", _arguments),
        ("", lambda tool: tool["description"]),
    ]
    session.show_list(found, columns, nothing="no executor has announced any")


def _arguments(tool: Row) -> str:
    """Those that may be left out in brackets."""
    required = tool["parameters"].get("required", [])
    names = tool["parameters"].get("properties", {})
    return " ".join(name if name in required else f"[{name}]" for name in names)
