"""`rota agents`: who does the work of the jobs."""

import json
from typing import Annotated, Any
from urllib.parse import quote

import typer

from rota_cli.client.editor import edited
from rota_cli.client.lookup import context_id
from rota_cli.client.moment import local_time, zone_name
from rota_cli.client.session import Session, with_session
from rota_cli.client.view import Column, Row, first_line, show_fields, show_json, show_table
from rota_cli.commands.agent_options import merged, with_options
from rota_cli.errors import CliError

app = typer.Typer(help="The agents: a model with a system prompt, tools and limits.", no_args_is_help=True)

Which = Annotated[str, typer.Argument(metavar="AGENT", help="Its name.")]
Context = Annotated[
    str | None,
    typer.Option("--context", "-c", help="Id or name of its context; without it, one for every context."),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
# What the editor shows, in this order; what is not among it is not for people to change.
EDITABLE = (
    "description",
    "model",
    "fallback_models",
    "system_prompt",
    "model_settings",
    "examples",
    "style",
    "grounding",
    "limits",
    "max_concurrent_runs",
    "approval_expiry_seconds",
    "approval_expiry_action",
    "tools",
)


@app.command("list")
@with_session
def list_agents(
    session: Session,
    context: Annotated[
        str | None, typer.Option("--context", "-c", help="Only those that its jobs can name.")
    ] = None,
) -> None:
    """List the agents that you may see."""
    choice = context_id(session.api, context) if context else None
    found = session.api.listing("/agents", context_id=choice)
    if session.as_json:
        show_json(found)
        return
    contexts = {one["id"]: one["name"] for one in session.api.items("/contexts")}
    columns: list[Column] = [
        ("name", lambda agent: agent["name"]),
        ("context", lambda agent: contexts.get(agent["context_id"], "(every)")),
        ("model", lambda agent: agent["model"]),
        ("tools", lambda agent: ", ".join(link["tool_name"] for link in agent["tools"])),
        ("revision", lambda agent: agent["revision"]),
        (f"changed ({zone_name()})", lambda agent: local_time(agent["updated_at"])),
        ("", lambda agent: first_line(agent["description"])),
    ]
    show_table(columns, found["items"], nothing="there are no agents")


@app.command("show")
@with_session
def show(session: Session, agent: Which, context: Context = None) -> None:
    """Show one agent, as a job of the context gets it."""
    _show(session, session.api.get(_path(session, agent, context)))


@app.command("create")
@with_session
@with_options
def create(
    session: Session,
    name: Annotated[str, typer.Argument(help="Jobs name it by this.")],
    context: Context = None,
    *,
    said: dict[str, Any],
) -> None:
    """Create an agent."""
    own = {"context_id": context_id(session.api, context)} if context else {}
    _show(session, session.api.post("/agents", {**said, "name": name, **own}))


@app.command("edit")
@with_session
@with_options
def edit(
    session: Session,
    agent: Which,
    context: Context = None,
    remove_tool: Annotated[list[str] | None, typer.Option(help="A tool to unlink; repeatable.")] = None,
    *,
    said: dict[str, Any],
) -> None:
    """Change what is given and leave the rest; without options, in your editor ($EDITOR)."""
    path = _path(session, agent, context)
    stored = session.api.get(path)
    body = merged(said, stored, remove_tool or []) if said or remove_tool else _edited(stored)
    if body is None:
        print("nothing was changed")
        return
    _show(session, session.api.patch(path, {**body, "revision": stored["revision"]}))


@app.command("delete")
@with_session
def delete(session: Session, agent: Which, context: Context = None, *, yes: Yes = False) -> None:
    """Delete an agent that no job runs."""
    path = _path(session, agent, context)
    if not yes:
        typer.confirm(f"Delete agent {agent!r}?", abort=True)
    session.api.delete(path)
    print(f"deleted agent {agent}")


@app.command("revisions")
@with_session
def revisions(
    session: Session,
    agent: Which,
    context: Context = None,
    revision: Annotated[int | None, typer.Option(min=1, help="Show this one whole.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 20,
) -> None:
    """List what an agent was from one save to the next, the newest first."""
    choice = context_id(session.api, context) if context else None
    path = f"/agents/{quote(agent, safe='')}/revisions"
    if revision is not None:
        page = session.api.get(path, context_id=choice, cursor=revision + 1, limit=1)["items"]
        if not page or page[0]["revision"] != revision:
            raise CliError(
                f"the agent {agent!r} has no revision {revision}", remedy="list them without --revision"
            )
        _show(session, page[0])
        return
    found = session.api.listing(path, limit=limit, context_id=choice)
    columns: list[Column] = [
        ("revision", lambda one: one["revision"]),
        (f"saved ({zone_name()})", lambda one: local_time(one["created_at"])),
        ("by", lambda one: one["created_by"] or "(shipped)"),
        ("model", lambda one: one["model"]),
        ("tools", lambda one: ", ".join(link["tool_name"] for link in one["tools"])),
        ("system prompt", lambda one: first_line(one["system_prompt"])),
    ]
    session.show_list(found, columns, nothing="there are no revisions")


def _path(session: Session, agent: str, context: str | None) -> str:
    query = f"?context_id={context_id(session.api, context)}" if context else ""
    return f"/agents/{quote(agent, safe='')}{query}"


def _edited(stored: Row) -> dict[str, Any] | None:
    """What is other after the editor was closed; None when nothing is."""
    before = {field: stored[field] for field in EDITABLE}
    text = edited(json.dumps(before, indent=2, ensure_ascii=False) + "\n", suffix=".json")
    try:
        after = json.loads(text)
    except ValueError as error:
        raise CliError(f"what you wrote is no JSON: {error}", remedy="edit it again") from error
    if not isinstance(after, dict):
        raise CliError("what you wrote is no JSON object", remedy="edit it again")
    return {field: value for field, value in after.items() if value != before.get(field)} or None


def _show(session: Session, agent: dict[str, Any]) -> None:
    if session.as_json:
        show_json(agent)
        return
    links = [_told(link, agent.get("policies", {})) for link in agent["tools"]]
    show_fields({**agent, "tools": links, "policies": None}, long=("system_prompt",))


def _told(link: Row, policies: Row) -> str:
    """`clock (auto)`, `machine_disk (before the model)`."""
    policy = link["policy"] or policies.get(link["tool_name"]) or "by its annotation"
    return f"{link['tool_name']} ({'before the model' if link['mode'] == 'prefetch' else policy})"
