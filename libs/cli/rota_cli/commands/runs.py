"""`rota runs`: what came of it."""

import json
from typing import Annotated, Any

import typer

from rota_cli.client.following import Printer, followed
from rota_cli.client.lookup import context_id, is_id, job_id
from rota_cli.client.moment import duration, local_time, zone_name
from rota_cli.client.session import Session, with_session
from rota_cli.client.transcript import transcribed
from rota_cli.client.view import Column, Row, first_line, show_json
from rota_cli.errors import CliError

app = typer.Typer(help="The results of the jobs.", no_args_is_help=True)


@app.command("list")
@with_session
def list_runs(
    session: Session,
    context: Annotated[str | None, typer.Option("--context", "-c", help="Only of this context.")] = None,
    job: Annotated[str | None, typer.Option("--job", "-j", help="Only of this job (id or name).")] = None,
    status: Annotated[str | None, typer.Option(help="Only with this status, e.g. error.")] = None,
    outcome: Annotated[
        str | None, typer.Option(help="Only what came to this: changed, nothing, needs_attention or failed.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 20,
) -> None:
    """List the results, newest first."""
    choice = {
        "context_id": context_id(session.api, context) if context else None,
        "job_id": job_id(session.api, job, context=context) if job else None,
        "status": status,
        "outcome_status": outcome,
    }
    found = session.api.listing("/runs", limit=limit, **choice)
    columns: list[Column] = [
        ("run", lambda run: run["run_id"]),
        ("job", lambda run: run.get("job_name")),
        ("agent", lambda run: run.get("agent_name")),
        ("status", lambda run: run["status"]),
        ("outcome", lambda run: run.get("outcome_status")),
        (f"started ({zone_name()})", lambda run: local_time(run.get("started_at"))),
        ("took", lambda run: duration(run.get("execution_duration_ms"))),
        ("result", lambda run: first_line(_told(run))),
    ]
    session.show_list(found, columns, nothing="there are no runs yet")


@app.command("show")
@with_session
def show(
    session: Session,
    run: Annotated[str, typer.Argument(metavar="RUN", help="Its id.")],
    *,
    transcript: Annotated[
        bool, typer.Option("--transcript", help="What was said and done, call by call.")
    ] = False,
) -> None:
    """Show one result in full."""
    found = session.api.get(_path(run))
    if not transcript:
        show_run(session, found)
        return
    if not found.get("session_id"):
        raise CliError(f"run {run} has no transcript yet", remedy=f"follow it: rota runs follow {run}")
    conversation = session.api.get(f"/conversations/{found['session_id']}")
    if session.as_json:
        show_json(conversation)
        return
    for message in conversation["messages"]:
        print(transcribed(message))


@app.command("follow")
@with_session
def follow(session: Session, run: Annotated[str, typer.Argument(metavar="RUN", help="Its id.")]) -> None:
    """Show what a run says and does, from its start and live, until it has ended; fails if the run did."""
    printer = Printer()
    for event in followed(session.api, f"{_path(run)}/events"):
        if session.as_json:
            print(json.dumps({"event": event.name, **event.data}, ensure_ascii=False), flush=True)
        else:
            print(printer.text(event), end="", flush=True)
        if event.name == "end" and event.data["status"] != "success":
            raise typer.Exit(1)


@app.command("cancel")
@with_session
def cancel(
    session: Session,
    run: Annotated[str, typer.Argument(metavar="RUN", help="Its id.")],
    reason: Annotated[str | None, typer.Option(help="Why; its result says it.")] = None,
) -> None:
    """End a run that waits or goes on."""
    accepted = session.api.post(f"{_path(run)}/cancel", {"reason": reason} if reason else {})
    if session.as_json:
        show_json(accepted)
    else:
        print(f"run {run} is asked to end: rota runs show {run}")


def _path(run: str) -> str:
    if not is_id(run):
        raise CliError(f"{run!r} is no id of a run", remedy="see 'rota runs list'")
    return f"/runs/{run}"


def show_run(session: Session, run: dict[str, Any]) -> None:
    session.show(run, long=("prompt", "error_message", "result_content"))


def _told(run: Row) -> object:
    return run.get("outcome_summary") or run.get("result_content") or run.get("error_message")
