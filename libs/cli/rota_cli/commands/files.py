"""`rota apply` and `rota export`: a context as YAML."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from rota_cli.client.api import ApiError
from rota_cli.client.documents import Document, read, written
from rota_cli.client.lookup import context_id
from rota_cli.client.session import Session, with_session
from rota_cli.client.view import Row, show_json
from rota_cli.errors import CliError

SIGNS = {"create": "+", "update": "~", "delete": "-"}
MAX_SHOWN = 80
# Of a document, beside what the gateway is handed.
OWN = ("context", "owner")


@with_session
def apply(
    session: Session,
    file: Annotated[list[Path], typer.Option("--file", "-f", help="YAML, - for standard input; repeatable.")],
    context: Annotated[
        str | None, typer.Option("--context", "-c", help="For documents that do not name theirs.")
    ] = None,
    owner: Annotated[
        str | None, typer.Option(help="A label for what is applied, for documents without one.")
    ] = None,
    prune: Annotated[
        bool, typer.Option("--prune", help="Delete what has the same owner and is not in the document.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would change, and stop.")] = False,
) -> None:
    """Make contexts have what a file describes: settings, calendars, MCP servers, agents, jobs, budgets.

    The plan is shown first.
    """
    documents = [one for path in file for one in read(path, _content(path))]
    if not documents:
        raise CliError("there is nothing in the file", remedy="rota export shows what one looks like")
    asked = [(one, *_asked(session, one, context, owner, prune=prune)) for one in documents]
    plans = [_applied(session, one, path, {**body, "dry_run": True}) for one, path, body in asked]
    if session.as_json and dry_run:
        show_json(plans)
        return
    if not session.as_json:
        for plan, (document, _, _) in zip(plans, asked, strict=True):
            _show(plan, document)
    if dry_run or not any(plan["changes"] for plan in plans):
        return
    if not yes:
        typer.confirm("Apply this?", abort=True)
    done = [_applied(session, one, path, body) for one, path, body in asked]
    if session.as_json:
        show_json(done)
    else:
        print(f"applied: {sum(len(one['changes']) for one in done)} changed")


@with_session
def export(
    session: Session,
    context: Annotated[str, typer.Option("--context", "-c", help="Id or name of the context.")],
) -> None:
    """Print what a context has of its own, as `rota apply` takes it; no secrets, no members."""
    found = session.api.get(f"/contexts/{context_id(session.api, context)}/export")
    if session.as_json:
        show_json(found)
    else:
        print(written({"context": context, **found}), end="")


def _content(path: Path) -> str:
    try:
        return sys.stdin.read() if str(path) == "-" else path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise CliError(
            f"cannot read {str(path)!r}: {type(error).__name__}", remedy="correct --file"
        ) from error


def _asked(
    session: Session, document: Document, context: str | None, owner: str | None, *, prune: bool
) -> tuple[str, dict[str, Any]]:
    """Where the document goes, and what is sent there."""
    named = document.content.get("context", context)
    if not isinstance(named, str):
        raise CliError(f"{document.place('context')}: name the context", remedy="context: Home, or --context")
    body = {field: value for field, value in document.content.items() if field not in OWN}
    body |= {"prune": prune, "owner": document.content.get("owner", owner)}
    return f"/contexts/{context_id(session.api, named)}/apply", body


def _applied(session: Session, document: Document, path: str, body: dict[str, Any]) -> Row:
    try:
        plan: Row = session.api.post(path, body)
    except ApiError as error:
        if not (errors := error.problem.get("errors")):
            raise
        lines = [f"{document.place(one['field'])}: {one['field']}: {one['message']}" for one in errors]
        raise CliError("nothing is applied:\n  " + "\n  ".join(lines)) from error
    return plan


def _show(plan: Row, document: Document) -> None:
    for change in plan["changes"]:
        kind = change["kind"].replace("_", " ")
        print(f"{SIGNS[change['action']]} {kind} {change['name']!r}")
        for one in change["fields"]:
            print(f"    {one['field']}: {_short(one['old'])} -> {_short(one['new'])}")
    print(f"{document.source}: {len(plan['changes'])} to change, {plan['unchanged']} as they are")


def _short(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= MAX_SHOWN else f"{text[: MAX_SHOWN - 1]}…"
