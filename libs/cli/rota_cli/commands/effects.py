"""`rota effects`: calls that write, and what became of those that were interrupted."""

from typing import Annotated

import msgspec
import typer

from rota_cli.client.lookup import context_id, is_id
from rota_cli.client.moment import local_time, zone_name
from rota_cli.client.session import Session, with_session
from rota_cli.client.view import Column
from rota_cli.errors import CliError

app = typer.Typer(help="Calls that write, of runs that were interrupted.", no_args_is_help=True)

Effect = Annotated[str, typer.Argument(metavar="EFFECT", help="Its id.")]
Note = Annotated[str, typer.Option(help="How you know; it is kept.")]


@app.command("list")
@with_session
def list_effects(
    session: Session,
    context: Annotated[str | None, typer.Option("--context", "-c", help="Only of this context.")] = None,
    run: Annotated[str | None, typer.Option(help="Only of this run.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Also those of which nothing is open.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 20,
) -> None:
    """List the calls of which nobody knows whether they took effect, newest first."""
    choice = {
        "context_id": context_id(session.api, context) if context else None,
        "run_id": run,
        "is_open": None if every else "true",
    }
    found = session.api.listing("/effects", limit=limit, **choice)
    columns: list[Column] = [
        ("id", lambda effect: effect["id"]),
        ("job", lambda effect: effect["job_name"]),
        ("run", lambda effect: effect["run_id"]),
        ("tool", lambda effect: effect["tool_name"]),
        ("arguments", lambda effect: msgspec.json.encode(effect["arguments"]).decode()),
        ("state", lambda effect: effect["decision"] or effect["state"]),
        (f"begun ({zone_name()})", lambda effect: local_time(effect["started_at"])),
    ]
    session.show_list(found, columns, nothing="nothing is open")


@app.command("confirm")
@with_session
def confirm(session: Session, effect: Effect, note: Note = "") -> None:
    """Say that the call took effect; a run that had waited for a person before goes on after it."""
    session.show(session.api.post(f"{_path(effect)}/confirm", {"note": note}), long=("note",))


@app.command("repeat")
@with_session
def repeat(session: Session, effect: Effect, note: Note = "") -> None:
    """Have the call made again, by another attempt of its run."""
    session.show(session.api.post(f"{_path(effect)}/repeat", {"note": note}), long=("note",))


def _path(effect: str) -> str:
    if not is_id(effect):
        raise CliError(f"{effect!r} is no id of a call", remedy="see 'rota effects list'")
    return f"/effects/{effect}"
