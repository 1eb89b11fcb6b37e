"""`rota doctor`: whether everything that was due is accounted for."""

from typing import Annotated, Any

import typer

from rota_cli.client.lookup import context_id
from rota_cli.client.moment import local_time, zone_name
from rota_cli.client.session import Session, with_session
from rota_cli.client.view import Column, show_json, show_table


@with_session
def doctor(
    session: Session,
    context: Annotated[str | None, typer.Option("--context", "-c", help="Only of this context.")] = None,
) -> None:
    """Compare what was due with what the ledger says; exit with 1 when they differ."""
    choice = context_id(session.api, context) if context else None
    report = session.api.get_slowly("/doctor", context_id=choice)
    if session.as_json:
        show_json(report)
    else:
        _show(report)
    if report["differences"]:
        raise typer.Exit(1)


def _show(report: dict[str, Any]) -> None:
    print(
        f"{report['jobs_checked']} jobs: {report['instants_expected']} instants were due, "
        f"{report['instants_accounted']} are in the ledger"
    )
    zone = zone_name()
    differing: list[Column] = [
        ("job", lambda one: one["name"]),
        ("id", lambda one: one["job_id"]),
        (f"from ({zone})", lambda one: local_time(one["from"])),
        (f"until ({zone})", lambda one: local_time(one["until"])),
        ("due", lambda one: one["expected"]),
        ("in the ledger", lambda one: one["accounted"]),
        ("", lambda one: one["note"]),
    ]
    show_table(differing, report["differences"], nothing="every one of them is accounted for")
    late: list[Column] = [
        ("behind", lambda one: one["name"]),
        ("id", lambda one: one["job_id"]),
        (f"since ({zone})", lambda one: local_time(one["since"])),
    ]
    unplanned: list[Column] = [
        ("not planned", lambda one: one["name"]),
        ("id", lambda one: one["job_id"]),
        ("", lambda one: one["reason"]),
    ]
    for columns, found in ((late, report["behind"]), (unplanned, report["unplanned"])):
        if found:
            print()
            show_table(columns, found, nothing="")
