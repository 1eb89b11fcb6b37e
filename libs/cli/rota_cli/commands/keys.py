"""`rota keys`: API keys, one's own or, for administrators, somebody's."""

from typing import Annotated

import typer

from rota_cli.client.lookup import is_id, user_id
from rota_cli.client.moment import given, local_time, zone_name
from rota_cli.client.session import Session, with_session
from rota_cli.client.view import Column, Row
from rota_cli.errors import CliError

app = typer.Typer(help="API keys: yours, or those of a user.", no_args_is_help=True)

User = Annotated[
    str | None,
    typer.Option("--user", "-u", help="Email address or id of whose; for administrators.  (default: yours)"),
]


@app.command("list")
@with_session
def list_keys(session: Session, user: User = None) -> None:
    """List the keys, by how each begins."""
    zone = zone_name()
    columns: list[Column] = [
        ("key", lambda key: f"{key['prefix']}…"),
        ("name", lambda key: key["name"]),
        ("id", lambda key: key["id"]),
        ("status", _standing),
        (f"created ({zone})", lambda key: local_time(key["created_at"])),
        (f"used ({zone})", lambda key: local_time(key["last_used_at"])),
        (f"until ({zone})", lambda key: local_time(key["expires_at"])),
    ]
    session.show_list(session.api.listing(_path(session, user)), columns, nothing="there are no keys")


@app.command("create")
@with_session
def create(
    session: Session,
    name: Annotated[str, typer.Argument(help="What it is for.")],
    user: User = None,
    expires_at: Annotated[
        str | None, typer.Option(help="When it ends, e.g. 2027-12-31T18:00.  (default: never)")
    ] = None,
) -> None:
    """Create a key. It is shown this once."""
    body = {"name": name, **({"expires_at": given(expires_at)} if expires_at else {})}
    session.show(session.api.post(_path(session, user), body))


@app.command("revoke")
@with_session
def revoke(
    session: Session, key: Annotated[str, typer.Argument(metavar="KEY", help="Its id.")], user: User = None
) -> None:
    """Revoke a key: it lets nobody in from now on."""
    if not is_id(key):
        raise CliError(f"{key!r} is no id of a key", remedy="see 'rota keys list'")
    session.api.delete(f"{_path(session, user)}/{key}")
    print(f"revoked key {key}")


def _path(session: Session, user: str | None) -> str:
    return f"/users/{user_id(session.api, user)}/api-keys" if user else "/api-keys"


def _standing(key: Row) -> str:
    return "revoked" if key["revoked_at"] else ""
