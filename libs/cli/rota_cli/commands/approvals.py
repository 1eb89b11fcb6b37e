"""`rota approvals`: what agents ask for, and the answer."""

from typing import Annotated, Any

import msgspec
import typer

from rota_cli.client.lookup import context_id, is_id
from rota_cli.client.moment import local_time, zone_name
from rota_cli.client.session import Session, with_session
from rota_cli.client.view import Column, first_line
from rota_cli.commands.grant_options import Days, Uses, fixed, json_object, terms
from rota_cli.errors import CliError

app = typer.Typer(help="Calls of tools that wait for a person.", no_args_is_help=True)

Action = Annotated[str, typer.Argument(metavar="ACTION", help="Its id.")]


@app.command("list")
@with_session
def list_approvals(
    session: Session,
    context: Annotated[str | None, typer.Option("--context", "-c", help="Only of this context.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Also what is decided or has expired.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 20,
) -> None:
    """List what waits for a decision, newest first."""
    choice = {
        "context_id": context_id(session.api, context) if context else None,
        "status": None if every else "pending",
    }
    found = session.api.listing("/approvals", limit=limit, **choice)
    columns: list[Column] = [
        ("action", lambda action: action["id"]),
        ("job", lambda action: action["job_name"]),
        ("tool", lambda action: action["tool_name"]),
        ("arguments", lambda action: msgspec.json.encode(action["arguments"]).decode()),
        ("says", lambda action: first_line(action["reason"], limit=60)),
        ("status", lambda action: action["status"]),
        (f"until ({zone_name()})", lambda action: local_time(action["expires_at"])),
    ]
    session.show_list(found, columns, nothing="nothing waits for a decision")


@app.command("show")
@with_session
def show(session: Session, action: Action) -> None:
    """Show one call in full."""
    _tell(session, session.api.get(_path(action)))


@app.command("approve")
@with_session
def approve(
    session: Session,
    action: Action,
    note: Annotated[str, typer.Option(help="Why; it is kept with the decision.")] = "",
    arguments: Annotated[
        str | None, typer.Option(help="Instead of those of the model, as a JSON object.")
    ] = None,
    always: Annotated[
        bool, typer.Option("--always", help="Allow the same call to later runs of the job as well.")
    ] = False,
    fix: Annotated[
        list[str] | None,
        typer.Option(help="Allow calls with the same value of this argument, whatever the others are."),
    ] = None,
    days: Days = None,
    uses: Uses = None,
) -> None:
    """Let the call be made; the run goes on when nothing of it waits any more."""
    body: dict[str, Any] = {"note": note}
    if arguments is not None:
        body["arguments"] = json_object("--arguments", arguments)
    grant = terms(days=days, uses=uses)
    if fix:
        made = body.get("arguments") or session.api.get(_path(action))["arguments"]
        grant |= fixed(made, fix)
    if always or grant:
        body["grant"] = grant
    _tell(session, session.api.post(f"{_path(action)}/approve", body))


@app.command("deny")
@with_session
def deny(
    session: Session,
    action: Action,
    note: Annotated[str, typer.Option(help="Why; the model reads it.")] = "",
) -> None:
    """Refuse the call; the model is told so, and the run goes on."""
    _tell(session, session.api.post(f"{_path(action)}/deny", {"note": note}))


def _path(action: str) -> str:
    if not is_id(action):
        raise CliError(f"{action!r} is no id of a call", remedy="see 'rota approvals list'")
    return f"/approvals/{action}"


def _tell(session: Session, action: dict[str, Any]) -> None:
    session.show(action, long=("note",))
