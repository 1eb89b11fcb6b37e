"""`rota calendars`: days of a context that jobs leave out."""

from pathlib import Path
from typing import Annotated, Any

import typer

from rota_cli.client.lookup import calendar_id, context_id
from rota_cli.client.session import Session, with_session
from rota_cli.client.view import Column
from rota_cli.errors import CliError

app = typer.Typer(help="Days on which jobs that name them do not run.", no_args_is_help=True)

Context = Annotated[str, typer.Option("--context", "-c", help="Id or name of the context.")]


@app.command("list")
@with_session
def list_calendars(session: Session, context: Context) -> None:
    """List the calendars of a context."""
    found = session.api.listing(f"/contexts/{context_id(session.api, context)}/calendars")
    columns: list[Column] = [
        ("name", lambda calendar: calendar["name"]),
        ("id", lambda calendar: calendar["id"]),
        ("days", lambda calendar: len(calendar["dates"])),
        ("first", lambda calendar: calendar["dates"][0] if calendar["dates"] else ""),
        ("last", lambda calendar: calendar["dates"][-1] if calendar["dates"] else ""),
        ("jobs", lambda calendar: calendar["job_count"]),
    ]
    session.show_list(found, columns, nothing="there are no calendars")


@app.command("create")
@with_session
def create(
    session: Session,
    name: Annotated[str, typer.Argument()],
    context: Context,
    date: Annotated[list[str] | None, typer.Option(help="A day, e.g. 2027-12-24; repeatable.")] = None,
    ics: Annotated[Path | None, typer.Option(help="An iCalendar file: the days of its events.")] = None,
) -> None:
    """Create a calendar of days, or of an iCalendar file."""
    if (ics is None) == (not date):
        raise typer.BadParameter("give days with --date, or a file with --ics")
    body: dict[str, Any] = {"name": name, **({"dates": date} if ics is None else {"ics": _content(ics)})}
    made = session.api.post(f"/contexts/{context_id(session.api, context)}/calendars", body)
    session.show(made)


@app.command("delete")
@with_session
def delete(
    session: Session,
    calendar: Annotated[str, typer.Argument(metavar="CALENDAR", help="Its id, or its name with --context.")],
    context: Annotated[str | None, typer.Option("--context", "-c", help="Id or name of its context.")] = None,
    *,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Delete a calendar that no job names."""
    found = calendar_id(session.api, calendar, context=context)
    if not yes:
        typer.confirm(f"Delete calendar {calendar!r}?", abort=True)
    session.api.delete(f"/calendars/{found}")
    print(f"deleted calendar {calendar}")


def _content(file: Path) -> str:
    try:
        return file.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise CliError(f"cannot read {str(file)!r}: {error}", remedy="correct --ics") from error
