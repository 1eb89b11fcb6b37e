"""`rota budgets`: what may be spent in a day or a month."""

from typing import Annotated, Any, Literal

import typer

from rota_cli.client.lookup import context_id, is_id, job_id
from rota_cli.client.session import Session, with_session
from rota_cli.client.view import Column, Row
from rota_cli.errors import CliError

app = typer.Typer(
    help="What a context, one of its agents or one of its jobs may spend.", no_args_is_help=True
)

Which = Annotated[str, typer.Argument(metavar="BUDGET", help="Its id.")]
Context = Annotated[str, typer.Option("--context", "-c", help="Id or name of the context.")]
Tokens = Annotated[int | None, typer.Option(help="Tokens, input and output together.")]
Cost = Annotated[str | None, typer.Option(help="US dollars, e.g. 2.50.")]
Policy = Annotated[
    Literal["stop", "pause", "fallback"] | None,
    typer.Option(help="Once it is used up: stop runs, pause the jobs too, or go on with another model."),
]
FallbackModel = Annotated[
    str | None, typer.Option(help="The cheaper model to go on with, e.g. ollama:qwen3.")
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


@app.command("list")
@with_session
def list_budgets(session: Session, context: Context) -> None:
    """List the budgets of a context, with what is used of each."""
    found = session.api.listing(f"/contexts/{context_id(session.api, context)}/budgets")
    columns: list[Column] = [
        ("id", lambda budget: budget["id"]),
        ("of", _subject),
        ("each", lambda budget: budget["period"]),
        ("tokens", lambda budget: _share(budget, "tokens")),
        ("US dollars", lambda budget: _share(budget, "cost")),
        ("policy", _then),
    ]
    session.show_list(found, columns, nothing="there are no budgets")


@app.command("show")
@with_session
def show(session: Session, budget: Which) -> None:
    """Show one budget."""
    session.show(session.api.get(_path(budget)))


@app.command("create")
@with_session
def create(
    session: Session,
    context: Context,
    period: Annotated[Literal["day", "month"], typer.Option(help="Of UTC.")],
    job: Annotated[str | None, typer.Option("--job", "-j", help="Only of this job (id or name).")] = None,
    agent: Annotated[str | None, typer.Option(help="Only of this agent.")] = None,
    tokens: Tokens = None,
    cost: Cost = None,
    policy: Policy = None,
    fallback_model: FallbackModel = None,
) -> None:
    """Create a budget: of the context, or of one agent or job in it."""
    body = {
        "period": period,
        **_fields(tokens, cost, policy, fallback_model),
        **({"agent_name": agent} if agent else {}),
        **({"job_id": job_id(session.api, job, context=context)} if job else {}),
    }
    session.show(session.api.post(f"/contexts/{context_id(session.api, context)}/budgets", body))


@app.command("update")
@with_session
def update(
    session: Session,
    budget: Which,
    tokens: Tokens = None,
    cost: Cost = None,
    policy: Policy = None,
    fallback_model: FallbackModel = None,
    clear: Annotated[Literal["tokens", "cost"] | None, typer.Option(help="The limit to take away.")] = None,
) -> None:
    """Change what is given and leave the rest; it holds from the next call to a model on."""
    body = _fields(tokens, cost, policy, fallback_model)
    if clear:
        body[f"{clear}_limit"] = None
    if not body:
        raise typer.BadParameter("nothing to change: give at least one option")
    session.show(session.api.patch(_path(budget), body))


@app.command("delete")
@with_session
def delete(session: Session, budget: Which, *, yes: Yes = False) -> None:
    """Delete a budget: what it bounded is bounded no more."""
    path = _path(budget)
    if not yes:
        typer.confirm(f"Delete budget {budget}?", abort=True)
    session.api.delete(path)
    print(f"deleted budget {budget}")


def _fields(
    tokens: int | None, cost: str | None, policy: str | None, fallback_model: str | None
) -> dict[str, Any]:
    if fallback_model and policy is None:
        policy = "fallback"
    given = {
        "tokens_limit": tokens,
        "cost_limit": cost,
        "policy": policy,
        "fallback_model": fallback_model,
    }
    return {name: value for name, value in given.items() if value is not None}


def _path(budget: str) -> str:
    if not is_id(budget):
        raise CliError(f"{budget!r} is no id of a budget", remedy="see 'rota budgets list'")
    return f"/budgets/{budget}"


def _subject(budget: Row) -> str:
    if budget["job_id"]:
        return f"job {budget['job_name']}"
    return f"agent {budget['agent_name']}" if budget["agent_name"] else "the context"


def _share(budget: Row, kind: str) -> str:
    """`1,200 of 100,000`; what is used alone, where there is no limit of it."""
    used, limit = (budget[f"used_{kind}"], budget[f"{kind}_limit"])
    shown = [f"{value:,}" if isinstance(value, int) else str(value) for value in (used, limit)]
    return shown[0] if limit is None else f"{shown[0]} of {shown[1]}"


def _then(budget: Row) -> str:
    other = budget["fallback_model"]
    return f"{budget['policy']} to {other}" if other else str(budget["policy"])
