"""`rota jobs`: what runs when."""

from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from rota_cli.client.lookup import context_id, job_id
from rota_cli.client.moment import local_time, relative, zone_name
from rota_cli.client.session import Session, with_session
from rota_cli.client.view import Column, show_fields, show_json, show_table
from rota_cli.client.waiting import wait_for_run
from rota_cli.commands.runs import show_run

app = typer.Typer(help="The jobs: an agent, a prompt and a schedule.", no_args_is_help=True)

Which = Annotated[str, typer.Argument(metavar="JOB", help="Its id or its name.")]
Context = Annotated[str | None, typer.Option("--context", "-c", help="Id or name of the job's context.")]
Name = Annotated[str | None, typer.Option(help="Unique within the context.")]
Cron = Annotated[str | None, typer.Option("--cron", help='When, e.g. "30 7 * * 1-5".')]
Timezone = Annotated[str | None, typer.Option(help="An IANA name.  (default: UTC)")]
Agent = Annotated[str | None, typer.Option("--agent", help="The agent to run.  (default: orchestrator)")]
Prompt = Annotated[str | None, typer.Option("--prompt", help="What the agent is asked to do.")]
Description = Annotated[str | None, typer.Option()]
Channel = Annotated[
    str | None, typer.Option("--notify-channel", help="Where the result is told, e.g. email.")
]
Target = Annotated[str | None, typer.Option("--notify-target", help="The address on that channel.")]
Timeout = Annotated[int | None, typer.Option(help="Seconds a run may take.  (default: 300)")]
Retries = Annotated[int | None, typer.Option(help="How often a failed run is tried again.  (default: 0)")]
Reason = Annotated[str | None, typer.Option(help="Why; others see it.")]
PromptContext = Annotated[str | None, typer.Option(help="What to tell the agent for this one run.")]
Wait = Annotated[bool, typer.Option("--wait", help="Wait for the result and show it.")]
WaitSeconds = Annotated[float, typer.Option(help="How long --wait waits at most.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


@app.command("list")
@with_session
def list_jobs(session: Session, context: Context = None) -> None:
    """List the jobs that you may see, the next to run first."""
    path = f"/contexts/{context_id(session.api, context)}/jobs" if context else "/jobs"
    found = session.api.listing(path)
    if session.as_json:
        show_json(found)
        return
    now = datetime.now(UTC)
    columns: list[Column] = [
        ("name", lambda job: job["name"]),
        ("context", lambda job: job.get("context_name")),
        ("status", lambda job: job["status"]),
        ("schedule", lambda job: f"{job['cron_expression']} {job['timezone']}"),
        ("agent", lambda job: job["agent_name"]),
        ("next run", lambda job: relative(job["next_run_at"], now)),
        (f"last run ({zone_name()})", lambda job: local_time(job["last_run_at"])),
        ("last", lambda job: job["last_run_status"]),
        ("runs", lambda job: job["run_count"]),
        ("errors", lambda job: job["error_count"]),
    ]
    show_table(columns, found["items"], nothing="there are no jobs")


@app.command("create")
@with_session
def create(
    session: Session,
    context: Annotated[str, typer.Option("--context", "-c", help="Id or name of the context.")],
    name: Annotated[str, typer.Option(help="Unique within the context.")],
    cron: Annotated[str, typer.Option(help='When, e.g. "30 7 * * 1-5".')],
    prompt: Annotated[str, typer.Option(help="What the agent is asked to do.")],
    timezone: Timezone = None,
    agent: Agent = None,
    description: Description = None,
    notify_channel: Channel = None,
    notify_target: Target = None,
    timeout_seconds: Timeout = None,
    max_retries: Retries = None,
    *,
    disabled: Annotated[bool, typer.Option("--disabled", help="Create it paused.")] = False,
) -> None:
    """Create a job."""
    body = _given(
        name=name,
        cron_expression=cron,
        skill_prompt=prompt,
        timezone=timezone,
        agent_name=agent,
        description=description,
        notification_channel=notify_channel,
        notification_target=notify_target,
        timeout_seconds=timeout_seconds,
        max_retries=max_retries,
        is_enabled=False if disabled else None,
    )
    _show(session, session.api.post(f"/contexts/{context_id(session.api, context)}/jobs", body))


@app.command("get")
@with_session
def get(session: Session, job: Which, context: Context = None) -> None:
    """Show one job."""
    _show(session, session.api.get(_path(session, job, context)))


@app.command("update")
@with_session
def update(
    session: Session,
    job: Which,
    context: Context = None,
    name: Name = None,
    cron: Cron = None,
    prompt: Prompt = None,
    timezone: Timezone = None,
    agent: Agent = None,
    description: Description = None,
    notify_channel: Channel = None,
    notify_target: Target = None,
    timeout_seconds: Timeout = None,
    max_retries: Retries = None,
) -> None:
    """Change what is given and leave the rest."""
    body = _given(
        name=name,
        cron_expression=cron,
        skill_prompt=prompt,
        timezone=timezone,
        agent_name=agent,
        description=description,
        notification_channel=notify_channel,
        notification_target=notify_target,
        timeout_seconds=timeout_seconds,
        max_retries=max_retries,
    )
    if not body:
        raise typer.BadParameter("nothing to change: give at least one option")
    _show(session, session.api.patch(_path(session, job, context), body))


@app.command("delete")
@with_session
def delete(session: Session, job: Which, context: Context = None, *, yes: Yes = False) -> None:
    """Delete a job."""
    path = _path(session, job, context)
    if not yes:
        typer.confirm(f"Delete job {job!r}?", abort=True)
    session.api.delete(path)
    print(f"deleted job {job}")


@app.command("enable")
@with_session
def enable(session: Session, job: Which, context: Context = None) -> None:
    """Let a paused job run on its schedule again."""
    _show(session, session.api.post(f"{_path(session, job, context)}/toggle", {"is_enabled": True}))


@app.command("disable")
@with_session
def disable(session: Session, job: Which, context: Context = None, reason: Reason = None) -> None:
    """Pause a job."""
    body = {"is_enabled": False, **_given(reason=reason)}
    _show(session, session.api.post(f"{_path(session, job, context)}/toggle", body))


@app.command("run")
@with_session
def run(
    session: Session,
    job: Which,
    context: Context = None,
    prompt_context: PromptContext = None,
    *,
    wait: Wait = False,
    wait_seconds: WaitSeconds = 600,
) -> None:
    """Run a job now, besides its schedule."""
    found = job_id(session.api, job, context=context)
    accepted = session.api.post(f"/jobs/{found}/run", _given(prompt_context=prompt_context))
    if wait:
        show_run(session, wait_for_run(session.api, accepted["run_id"], seconds=wait_seconds))
    elif session.as_json:
        show_json(accepted)
    else:
        print(f"run {accepted['run_id']} is on its way: rota runs show {accepted['run_id']}")


def _path(session: Session, job: str, context: str | None) -> str:
    return f"/jobs/{job_id(session.api, job, context=context)}"


def _given(**fields: object) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _show(session: Session, job: dict[str, Any]) -> None:
    if session.as_json:
        show_json(job)
    else:
        show_fields(job, long=("skill_prompt", "last_run_result"))
