"""`rota users`: who may sign in. For administrators."""

from typing import Annotated, Any

import typer

from rota_cli.client.lookup import user_id
from rota_cli.client.moment import local_time, zone_name
from rota_cli.client.session import Session, with_session
from rota_cli.client.view import Column, Row

app = typer.Typer(help="People: for administrators.", no_args_is_help=True)

Which = Annotated[str, typer.Argument(metavar="USER", help="Their email address or id.")]
Name = Annotated[str | None, typer.Option("--name", help="Shown instead of the address.")]
Admin = Annotated[
    bool | None, typer.Option("--admin/--no-admin", help="May do everything everywhere, and make users.")
]
CHANGES: list[Column] = [
    (f"when ({zone_name()})", lambda change: local_time(change["created_at"])),
    ("user", lambda change: change["email"]),
    ("changed", lambda change: change["field"]),
    ("from", lambda change: change["old"]),
    ("to", lambda change: change["new"]),
    ("by", lambda change: change["changed_by"]),
]


@app.command("list")
@with_session
def list_users(session: Session) -> None:
    """List the users."""
    columns: list[Column] = [
        ("email", lambda user: user["email"]),
        ("name", lambda user: user["display_name"]),
        ("id", lambda user: user["id"]),
        ("status", _standing),
        (f"created ({zone_name()})", lambda user: local_time(user["created_at"])),
    ]
    session.show_list(session.api.listing("/users"), columns, nothing="there are no users")


@app.command("create")
@with_session
def create(
    session: Session, email: Annotated[str, typer.Argument()], name: Name = None, *, admin: Admin = None
) -> None:
    """Create a user. `rota keys create --user` lets them in, `rota members set` into a context."""
    session.show(session.api.post("/users", {"email": email, **_given(display_name=name, is_admin=admin)}))


@app.command("show")
@with_session
def show(session: Session, user: Which) -> None:
    """Show one user."""
    session.show(session.api.get(_path(session, user)))


@app.command("update")
@with_session
def update(session: Session, user: Which, name: Name = None, *, admin: Admin = None) -> None:
    """Change what is given and leave the rest."""
    if not (body := _given(display_name=name, is_admin=admin)):
        raise typer.BadParameter("nothing to change: give at least one option")
    session.show(session.api.patch(_path(session, user), body))


@app.command("disable")
@with_session
def disable(session: Session, user: Which) -> None:
    """Let somebody in no more, by key, session or link. Their jobs go on."""
    session.show(session.api.patch(_path(session, user), {"is_enabled": False}))


@app.command("enable")
@with_session
def enable(session: Session, user: Which) -> None:
    """Let somebody in again, by the keys that they had."""
    session.show(session.api.patch(_path(session, user), {"is_enabled": True}))


@app.command("changes")
@with_session
def changes(session: Session, user: Which) -> None:
    """List what somebody may do since when, and who decided it."""
    found = session.api.listing("/access-changes", user_id=user_id(session.api, user))
    session.show_list(found, CHANGES, nothing="nothing was changed")


def _path(session: Session, user: str) -> str:
    return f"/users/{user_id(session.api, user)}"


def _given(**fields: object) -> dict[str, Any]:
    return {field: value for field, value in fields.items() if value is not None}


def _standing(user: Row) -> str:
    if not user["is_enabled"]:
        return "disabled"
    return "administrator" if user["is_admin"] else ""
