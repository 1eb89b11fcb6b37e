"""`rota mcp`: MCP servers whose tools the agents of a context may be linked with."""

import shlex
from typing import Annotated, Any
from urllib.parse import quote

import typer

from rota_cli.client.lookup import context_id
from rota_cli.client.moment import local_time, zone_name
from rota_cli.client.session import Session, with_session
from rota_cli.client.view import Column, Row, first_line, show_fields, show_json, show_table
from rota_cli.errors import CliError

app = typer.Typer(
    help="MCP servers whose tools the agents of a context may be linked with.", no_args_is_help=True
)

Context = Annotated[str, typer.Option("--context", "-c", help="Id or name of the context.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
EFFECTS = ("read", "write")


@app.command("list")
@with_session
def list_servers(session: Session, context: Context) -> None:
    """List the MCP servers of a context."""
    found = session.api.get(_path(session, context))
    if session.as_json:
        show_json(found)
        return
    columns: list[Column] = [
        ("name", lambda one: one["name"]),
        ("", lambda one: one["status"]),
        ("at", lambda one: one["url"] or one["command"]),
        (f"looked into ({zone_name()})", lambda one: local_time(one["discovered_at"])),
        ("why", lambda one: first_line(one["error"] or "", limit=100)),
    ]
    show_table(columns, found["items"], nothing="there are no MCP servers")


@app.command("show")
@with_session
def show(session: Session, name: str, context: Context) -> None:
    """Show an MCP server and the tools that were found in it."""
    _show(session, session.api.get(_path(session, context, name)))


@app.command("set")
@with_session
def set_server(
    session: Session,
    name: Annotated[str, typer.Argument(help="Its tools are linked as NAME__tool.")],
    context: Context,
    address: Annotated[str | None, typer.Option(help="Of a server that speaks streamable HTTP.")] = None,
    credential: Annotated[
        str | None, typer.Option(help="A credential of kind http, whose header is sent to it.")
    ] = None,
    command: Annotated[
        str | None, typer.Option(help="Or one that executors start: its name in EXECUTOR_MCP_COMMANDS.")
    ] = None,
    allow: Annotated[
        list[str] | None, typer.Option(help="A tool of it that may be linked; repeatable.  (default: all)")
    ] = None,
    effect: Annotated[
        list[str] | None,
        typer.Option(help="TOOL=read or TOOL=write: what you know better than the server; repeatable."),
    ] = None,
) -> None:
    """Add an MCP server, or replace the one of that name."""
    body: dict[str, Any] = {"transport": "stdio" if command else "http", "effects": _effects(effect or [])}
    given = {"url": address, "credential": credential, "command": command, "allowed_tools": allow}
    body |= {field: value for field, value in given.items() if value}
    stored = session.api.put(_path(session, context, name), body)
    _show(session, stored)
    if not session.as_json:
        print(f"an executor looks into it now: rota mcp show {name} --context {shlex.quote(context)}")


@app.command("refresh")
@with_session
def refresh(session: Session, name: str, context: Context) -> None:
    """Have the tools of an MCP server looked for now."""
    _show(session, session.api.post(f"{_path(session, context, name)}/refresh"))


@app.command("delete")
@with_session
def delete(session: Session, name: str, context: Context, *, yes: Yes = False) -> None:
    """Delete an MCP server: agents run without its tools from then on."""
    path = _path(session, context, name)
    if not yes:
        typer.confirm(f"Delete MCP server {name!r}?", abort=True)
    session.api.delete(path)
    print(f"deleted MCP server {name}")


def _path(session: Session, context: str, name: str | None = None) -> str:
    path = f"/contexts/{context_id(session.api, context)}/mcp-servers"
    return path if name is None else f"{path}/{quote(name, safe='')}"


def _effects(given: list[str]) -> dict[str, str]:
    effects = {}
    for one in given:
        tool, _, effect = one.rpartition("=")
        if not tool or effect not in EFFECTS:
            raise CliError(f"{one!r} is no effect", remedy="write it like search=read")
        effects[tool] = effect
    return effects


def _show(session: Session, server: Row) -> None:
    if session.as_json:
        show_json(server)
        return
    show_fields({name: value for name, value in server.items() if name != "tools"})
    if server["tools"]:
        columns: list[Column] = [
            ("tool", lambda one: one["name"]),
            ("effect", lambda one: one["effect"]),
            ("policy", lambda one: one["policy"]),
            ("", lambda one: first_line(one["description"], limit=100)),
        ]
        print()
        show_table(columns, server["tools"], nothing="")
