"""`rota members`: who may do what in a context."""

from typing import Annotated, Literal
from urllib.parse import quote

import typer

from rota_cli.client.lookup import context_id
from rota_cli.client.moment import local_time, zone_name
from rota_cli.client.session import Session, with_session
from rota_cli.client.view import Column
from rota_cli.commands.users import CHANGES

app = typer.Typer(help="Members of a context: who reads, writes, decides and owns.", no_args_is_help=True)

Context = Annotated[str, typer.Argument(metavar="CONTEXT", help="Its id or its name.")]
Who = Annotated[str, typer.Argument(metavar="USER", help="Their email address or id.")]


@app.command("list")
@with_session
def list_members(session: Session, context: Context) -> None:
    """List the members of a context."""
    columns: list[Column] = [
        ("email", lambda member: member["email"]),
        ("name", lambda member: member["display_name"]),
        ("role", lambda member: member["role"]),
        ("status", lambda member: "" if member["is_enabled"] else "disabled"),
        (f"since ({zone_name()})", lambda member: local_time(member["created_at"])),
    ]
    found = session.api.listing(f"/contexts/{context_id(session.api, context)}/members")
    session.show_list(found, columns, nothing="there are no members")


@app.command("set")
@with_session
def set_member(
    session: Session,
    context: Context,
    user: Who,
    role: Annotated[
        Literal["owner", "editor", "operator", "viewer"],
        typer.Option(help="Viewers read, operators decide on calls, editors change jobs, owners do all."),
    ],
) -> None:
    """Make somebody a member of a context, or give a member another role."""
    session.show(session.api.put(_path(session, context, user), {"role": role}))


@app.command("remove")
@with_session
def remove(session: Session, context: Context, user: Who) -> None:
    """Remove a member: they see nothing of the context from now on."""
    session.api.delete(_path(session, context, user))
    print(f"removed {user} from {context}")


@app.command("changes")
@with_session
def changes(session: Session, context: Context) -> None:
    """List who has which role since when, and who decided it."""
    found = session.api.listing("/access-changes", context_id=context_id(session.api, context))
    session.show_list(found, CHANGES, nothing="nothing was changed")


def _path(session: Session, context: str, user: str) -> str:
    return f"/contexts/{context_id(session.api, context)}/members/{quote(user, safe='@')}"
