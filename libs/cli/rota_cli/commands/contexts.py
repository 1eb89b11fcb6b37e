"""`rota contexts`: the tenants."""

from typing import Annotated, Any

import typer

from rota_cli.client.lookup import context_id
from rota_cli.client.moment import local_time, zone_name
from rota_cli.client.session import Session, with_session
from rota_cli.client.view import Column

app = typer.Typer(help="The tenants: each has its jobs, and limits of its own.", no_args_is_help=True)

Which = Annotated[str, typer.Argument(metavar="CONTEXT", help="Its id or its name.")]
MaxConcurrentRuns = Annotated[int | None, typer.Option(help="How many of its runs may go on at a time.")]
MinPeriodSeconds = Annotated[int | None, typer.Option(help="The shortest period its jobs may have.")]
AllowedHosts = Annotated[
    list[str] | None,
    typer.Option(
        "--allow-host", help="A host that tools may reach though it is at no public address; repeatable."
    ),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


@app.command("list")
@with_session
def list_contexts(session: Session) -> None:
    """List the contexts that you may see."""
    found = session.api.listing("/contexts")
    columns: list[Column] = [
        ("name", lambda context: context["name"]),
        ("id", lambda context: context["id"]),
        ("runs at a time", lambda context: context["max_concurrent_runs"]),
        ("shortest period", lambda context: f"{context['min_period_seconds']} s"),
        (f"created ({zone_name()})", lambda context: local_time(context["created_at"])),
    ]
    session.show_list(found, columns, nothing="there are no contexts")


@app.command("create")
@with_session
def create(
    session: Session,
    name: Annotated[str, typer.Argument()],
    max_concurrent_runs: MaxConcurrentRuns = None,
    min_period_seconds: MinPeriodSeconds = None,
    allow_host: AllowedHosts = None,
) -> None:
    """Create a context."""
    body = _given(
        name=name,
        max_concurrent_runs=max_concurrent_runs,
        min_period_seconds=min_period_seconds,
        allowed_hosts=allow_host or None,
    )
    session.show(session.api.post("/contexts", body))


@app.command("get")
@with_session
def get(session: Session, context: Which) -> None:
    """Show one context."""
    session.show(session.api.get(f"/contexts/{context_id(session.api, context)}"))


@app.command("update")
@with_session
def update(
    session: Session,
    context: Which,
    name: Annotated[str | None, typer.Option(help="A new name.")] = None,
    max_concurrent_runs: MaxConcurrentRuns = None,
    min_period_seconds: MinPeriodSeconds = None,
    allow_host: AllowedHosts = None,
    *,
    allow_no_host: Annotated[bool, typer.Option("--allow-no-host", help="Take all of them back.")] = False,
) -> None:
    """Change what is given and leave the rest; hosts to allow are replaced by those that are given."""
    body = _given(
        name=name,
        max_concurrent_runs=max_concurrent_runs,
        min_period_seconds=min_period_seconds,
        allowed_hosts=[] if allow_no_host else allow_host or None,
    )
    if not body:
        raise typer.BadParameter("nothing to change: give at least one option")
    session.show(session.api.patch(f"/contexts/{context_id(session.api, context)}", body))


@app.command("delete")
@with_session
def delete(session: Session, context: Which, *, yes: Yes = False) -> None:
    """Delete a context with its jobs and their results."""
    found = context_id(session.api, context)
    if not yes:
        typer.confirm(f"Delete context {context!r} with all its jobs and results?", abort=True)
    session.api.delete(f"/contexts/{found}")
    print(f"deleted context {context}")


def _given(**fields: object) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}
