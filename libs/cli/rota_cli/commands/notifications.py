"""`rota notifications`: the bell."""

from typing import Annotated

import typer

from rota_cli.client.moment import local_time, zone_name
from rota_cli.client.session import Session, with_session
from rota_cli.client.view import Column, first_line, show_json

app = typer.Typer(help="What Rota wants you to know.", no_args_is_help=True)


@app.command("list")
@with_session
def list_notifications(
    session: Session, limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 20
) -> None:
    """List the notifications, newest first."""
    found = session.api.listing("/notifications", limit=limit)
    columns: list[Column] = [
        ("id", lambda notification: notification["id"]),
        (f"when ({zone_name()})", lambda notification: local_time(notification.get("created_at"))),
        ("", lambda notification: "" if notification.get("is_read") else "new"),
        ("title", lambda notification: notification.get("title")),
        ("text", lambda notification: first_line(notification.get("body"))),
    ]
    session.show_list(found, columns, nothing="there are no notifications")


@app.command("read")
@with_session
def read(
    session: Session,
    notifications: Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="Which ones.")] = None,
    *,
    everything: Annotated[bool, typer.Option("--all", help="All of them.")] = False,
) -> None:
    """Mark notifications as read."""
    if everything == bool(notifications):
        raise typer.BadParameter("give the ids of notifications, or --all")
    paths = [f"/notifications/{one}/read" for one in notifications or []] or ["/notifications/read-all"]
    answers = [session.api.post(path) for path in paths]
    if session.as_json:
        show_json(answers)
    else:
        print("marked as read")
