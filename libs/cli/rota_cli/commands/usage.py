"""`rota usage`: what was spent."""

from collections.abc import Callable
from typing import Annotated

import typer

from rota_cli.client.lookup import context_id, job_id
from rota_cli.client.moment import given
from rota_cli.client.session import Session, with_session
from rota_cli.client.view import Column, Row, show_json, show_table
from rota_cli.errors import CliError

TITLES = {
    "day": "day (UTC)",
    "context": "context",
    "job": "job",
    "agent": "agent",
    "model": "model",
}
FIELDS = {
    "day": "day",
    "context": "context_name",
    "job": "job_name",
    "agent": "agent_name",
    "model": "model",
}


@with_session
def usage(
    session: Session,
    by: Annotated[
        list[str] | None,
        typer.Option(help="context, agent, job, model or day; repeatable.  (default: day)"),
    ] = None,
    context: Annotated[str | None, typer.Option("--context", "-c", help="Only of this context.")] = None,
    job: Annotated[str | None, typer.Option("--job", "-j", help="Only of this job (id or name).")] = None,
    agent: Annotated[str | None, typer.Option(help="Only of this agent.")] = None,
    model: Annotated[str | None, typer.Option(help="Only of this model, e.g. ollama:qwen3.")] = None,
    since: Annotated[
        str | None, typer.Option("--from", help="Local time unless it has an offset.  (default: 30 days ago)")
    ] = None,
    until: Annotated[str | None, typer.Option(help="Not included.  (default: now)")] = None,
) -> None:
    """Show the tokens and the money that runs spent on models."""
    groups = list(dict.fromkeys(by or ["day"]))
    if unknown := [name for name in groups if name not in TITLES]:
        raise CliError(f"{unknown[0]!r} is nothing to group by", remedy=f"say one of {', '.join(TITLES)}")
    found = session.api.get(
        "/usage",
        group_by=groups,
        context_id=context_id(session.api, context) if context else None,
        job_id=job_id(session.api, job, context=context) if job else None,
        agent_name=agent,
        model=model,
        **{"from": given(since) if since else None, "until": given(until) if until else None},
    )
    if session.as_json:
        show_json(found)
        return
    named: list[Column] = [(TITLES[name], _field(FIELDS[name])) for name in TITLES if name in groups]
    columns: list[Column] = [
        *named,
        ("runs", _count("runs")),
        ("requests", _count("requests")),
        ("tokens in", _count("input_tokens")),
        ("tokens out", _count("output_tokens")),
        ("US dollars", _dollars),
    ]
    rows = found["items"]
    if len(rows) > 1:
        rows = [
            *rows,
            {**found["total"], FIELDS[next(name for name in TITLES if name in groups)]: "together"},
        ]
    show_table(columns, rows, nothing="nothing was spent")


def _field(name: str) -> Callable[[Row], object]:
    return lambda row: row.get(name)


def _count(name: str) -> Callable[[Row], object]:
    return lambda row: f"{row[name]:,}"


def _dollars(row: Row) -> str:
    """What is known; a + where requests are left out of it."""
    known = row["cost_usd"]
    if known is None:
        return "unknown" if row["unpriced_requests"] else ""
    return f"{known}{' +' if row['unpriced_requests'] else ''}"
