"""`rota grants`: calls of tools that need not be asked for again."""

from typing import Annotated, Any

import msgspec
import typer

from rota_cli.client.lookup import context_id, is_id, job_id
from rota_cli.client.moment import local_time, zone_name
from rota_cli.client.session import Session, with_session
from rota_cli.client.view import Column
from rota_cli.commands.grant_options import Days, Uses, exactly, json_object, terms
from rota_cli.errors import CliError

app = typer.Typer(help="Calls of tools that need not be asked for again.", no_args_is_help=True)

Grant = Annotated[str, typer.Argument(metavar="GRANT", help="Its id.")]


@app.command("list")
@with_session
def list_grants(
    session: Session,
    context: Annotated[str | None, typer.Option("--context", "-c", help="Only of this context.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 50,
) -> None:
    """List them, newest first, with what has become of each."""
    choice = {"context_id": context_id(session.api, context) if context else None}
    found = session.api.listing("/grants", limit=limit, **choice)
    columns: list[Column] = [
        ("id", lambda grant: grant["id"]),
        ("job", lambda grant: grant["job_name"]),
        ("call", _call),
        ("uses", _uses),
        ("state", lambda grant: grant["state"]),
        ("why", lambda grant: grant["reason"]),
        (f"until ({zone_name()})", lambda grant: local_time(grant["expires_at"])),
    ]
    session.show_list(found, columns, nothing="nothing is granted: every call that asks waits for a person")


@app.command("show")
@with_session
def show(session: Session, grant: Grant) -> None:
    """Show one in full."""
    session.show(session.api.get(_path(grant)), long=("note",))


@app.command("uses")
@with_session
def uses(
    session: Session,
    grant: Grant,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 50,
) -> None:
    """List the calls that it covered, the latest first."""
    found = session.api.listing(f"{_path(grant)}/uses", limit=limit)
    columns: list[Column] = [
        ("number", lambda use: use["number"]),
        ("run", lambda use: use["run_id"]),
        ("call", lambda use: use["call_id"]),
        (f"at ({zone_name()})", lambda use: local_time(use["used_at"])),
    ]
    session.show_list(found, columns, nothing="it has covered no call yet")


@app.command("add")
@with_session
def add(
    session: Session,
    job: Annotated[str, typer.Argument(metavar="JOB", help="Its name or id.")],
    tool: Annotated[str, typer.Argument(metavar="TOOL", help="Its name.")],
    context: Annotated[str | None, typer.Option("--context", "-c", help="The context of the job.")] = None,
    arguments: Annotated[
        str, typer.Option(help="The arguments that a call must have, as a JSON object.")
    ] = "{}",
    others: Annotated[
        bool, typer.Option("--others", help="A call may have other arguments beside these.")
    ] = False,
    note: Annotated[str, typer.Option(help="Why.")] = "",
    days: Days = None,
    uses: Uses = None,
) -> None:
    """Let runs of a job make such calls without asking."""
    body = {
        "job_id": job_id(session.api, job, context=context),
        "tool_name": tool,
        "arguments": exactly(json_object("--arguments", arguments)),
        "other_arguments": "any" if others else "none",
        "note": note,
        **terms(days=days, uses=uses),
    }
    session.show(session.api.post("/grants", body), long=("note",))


@app.command("revoke")
@with_session
def revoke(session: Session, grant: Grant) -> None:
    """End one: from now on such calls are asked for again."""
    session.api.delete(_path(grant))
    print(f"revoked grant {grant}")


def _path(grant: str) -> str:
    if not is_id(grant):
        raise CliError(f"{grant!r} is no id of a grant", remedy="see 'rota grants list'")
    return f"/grants/{grant}"


def _call(grant: Any) -> str:
    named = {
        name: one["value"] if one["match"] == "exact" else "(any)" for name, one in grant["arguments"].items()
    }
    others = ", and any others" if grant["other_arguments"] == "any" else ""
    return f"{grant['tool_name']} {msgspec.json.encode(named).decode()}{others}"


def _uses(grant: Any) -> str:
    return f"{grant['uses']} of {grant['max_uses']}" if grant["max_uses"] else str(grant["uses"])
