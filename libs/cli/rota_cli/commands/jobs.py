"""`rota jobs`: what runs when."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import typer

from rota_cli.client.lookup import context_id, job_id
from rota_cli.client.moment import given, local_time, relative, zone_name
from rota_cli.client.session import Session, with_session
from rota_cli.client.view import Column, Row, first_line, show_json, show_table
from rota_cli.client.waiting import wait_for_run
from rota_cli.commands.job_options import with_fields
from rota_cli.commands.rehearsal import grant_each, show_rehearsal
from rota_cli.commands.runs import show_run

app = typer.Typer(help="The jobs: an agent with a prompt, or a tool, and a schedule.", no_args_is_help=True)

Which = Annotated[str, typer.Argument(metavar="JOB", help="Its id or its name.")]
Context = Annotated[str | None, typer.Option("--context", "-c", help="Id or name of the job's context.")]
WHEN = 'When, e.g. "30 7 * * 1-5", "@every 90s", "@at 2027-01-31T09:00"; several with ";".'
# What is no null when it is empty.
EMPTY: dict[str, Any] = {"excluded_dates": [], "calendars": [], "arguments": {}}
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
        ("agent or tool", _runs),
        ("next run", lambda job: relative(job["next_run_at"], now)),
        (f"last run ({zone_name()})", lambda job: local_time(job["last_run_at"])),
        ("last", lambda job: job["last_run_status"]),
        ("runs", lambda job: job["run_count"]),
        ("errors", lambda job: job["error_count"]),
    ]
    show_table(columns, found["items"], nothing="there are no jobs")


@app.command("create")
@with_session
@with_fields
def create(
    session: Session,
    context: Annotated[str, typer.Option("--context", "-c", help="Id or name of the context.")],
    name: Annotated[str, typer.Option(help="Unique within the context.")],
    cron: Annotated[str, typer.Option(help=WHEN)],
    prompt: Annotated[
        str | None, typer.Option(help="What the agent is asked to do; needed without --tool.")
    ] = None,
    *,
    disabled: Annotated[bool, typer.Option("--disabled", help="Create it paused.")] = False,
    fields: dict[str, Any],
) -> None:
    """Create a job."""
    own = _given(name=name, cron_expression=cron, skill_prompt=prompt, is_enabled=False if disabled else None)
    _show(session, session.api.post(f"/contexts/{context_id(session.api, context)}/jobs", {**own, **fields}))


@app.command("show")
@app.command("get", hidden=True)
@with_session
def show(session: Session, job: Which, context: Context = None) -> None:
    """Show one job, what its runs cost and what they may cost in a month."""
    path = _path(session, job, context)
    found = session.api.get(path)
    if session.as_json:
        show_json(found)
        return
    _show(session, {**found, **_costs(session.api.get(f"{path}/usage"))})


@app.command("update")
@with_session
@with_fields
def update(
    session: Session,
    job: Which,
    context: Context = None,
    name: Annotated[str | None, typer.Option(help="Unique within the context.")] = None,
    cron: Annotated[str | None, typer.Option(help=WHEN)] = None,
    prompt: Annotated[str | None, typer.Option(help="What the agent is asked to do.")] = None,
    clear: Annotated[
        list[str] | None, typer.Option(help="A field to empty, e.g. end_at or calendars; repeatable.")
    ] = None,
    *,
    fields: dict[str, Any],
) -> None:
    """Change what is given and leave the rest."""
    body = {
        **_given(name=name, cron_expression=cron, skill_prompt=prompt),
        **fields,
        **{field: EMPTY.get(field) for field in clear or []},
    }
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
def enable(
    session: Session,
    job: Which,
    context: Context = None,
    catch_up: Annotated[
        Literal["none", "latest", "all"] | None,
        typer.Option(help="What becomes of what was due in the pause.  (default: none)"),
    ] = None,
) -> None:
    """Let a paused job run on its schedule again."""
    body = {"is_enabled": True, **_given(catch_up=catch_up)}
    _show(session, session.api.post(f"{_path(session, job, context)}/toggle", body))


@app.command("pause")
@app.command("disable", hidden=True)
@with_session
def pause(session: Session, job: Which, context: Context = None, reason: Reason = None) -> None:
    """Pause a job."""
    body = {"is_enabled": False, **_given(reason=reason)}
    _show(session, session.api.post(f"{_path(session, job, context)}/toggle", body))


@app.command("skip-next")
@with_session
def skip_next(session: Session, job: Which, context: Context = None) -> None:
    """Leave out the next run that is due, and no other."""
    _show(session, session.api.post(f"{_path(session, job, context)}/skip-next"))


@app.command("backfill")
@with_session
def backfill(
    session: Session,
    job: Which,
    since: Annotated[str, typer.Option("--from", help="Local time unless it has an offset; included.")],
    until: Annotated[str, typer.Option(help="In the past; included.")],
    context: Context = None,
    overlap: Annotated[
        Literal["allow", "queue", "skip"] | None,
        typer.Option(help="While another run of the job is open.  (default: queue, one after the other)"),
    ] = None,
    reprocess: Annotated[
        Literal["none", "failed", "all"] | None,
        typer.Option(help="Of what ran already: which to run again.  (default: none)"),
    ] = None,
) -> None:
    """Run what was due in a stretch of the past, each instant once."""
    body = {"start": given(since), "end": given(until), **_given(overlap_policy=overlap, reprocess=reprocess)}
    accepted = session.api.post(f"{_path(session, job, context)}/backfill", body)
    if session.as_json:
        show_json(accepted)
    else:
        print(
            f"{len(accepted['run_ids'])} runs are asked for: rota jobs occurrences {job!r} --trigger backfill"
        )
        if accepted["left_out"]:
            print(f"{accepted['left_out']} ran already: --reprocess failed or all runs them again")


@app.command("occurrences")
@with_session
def occurrences(
    session: Session,
    job: Which,
    context: Context = None,
    disposition: Annotated[str | None, typer.Option(help="Only with this one, e.g. missed.")] = None,
    trigger: Annotated[str | None, typer.Option(help="schedule, manual, backfill or dry_run.")] = None,
    since: Annotated[str | None, typer.Option("--from", help="Local time unless it has an offset.")] = None,
    until: Annotated[str | None, typer.Option(help="Not after.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 20,
) -> None:
    """List what became of each due instant, the latest first."""
    choice = {
        "disposition": disposition,
        "trigger": trigger,
        "from": given(since) if since else None,
        "until": given(until) if until else None,
    }
    found = session.api.listing(f"{_path(session, job, context)}/occurrences", limit=limit, **choice)
    columns: list[Column] = [
        (f"due ({zone_name()})", _when),
        ("trigger", lambda one: one["trigger"]),
        ("", lambda one: one["disposition"] or one["state"]),
        ("why", lambda one: first_line(one["reason"], limit=100)),
        ("run", lambda one: one["run_id"]),
    ]
    session.show_list(found, columns, nothing="nothing was due yet")


@app.command("notebook")
@with_session
def notebook(
    session: Session,
    job: Which,
    context: Context = None,
    *,
    clear: Annotated[bool, typer.Option("--clear", help="Let the next run begin with an empty one.")] = False,
) -> None:
    """Show what runs of a job noted for those after them."""
    path = f"{_path(session, job, context)}/notebook"
    if clear:
        session.api.delete(path)
        print(f"cleared the notebook of job {job}")
        return
    found = session.api.get(path)
    columns: list[Column] = [
        ("key", lambda note: note["key"]),
        ("note", lambda note: first_line(note["value"], limit=100)),
        (f"noted ({zone_name()})", lambda note: local_time(note["updated_at"])),
        ("run", lambda note: note["run_id"]),
    ]
    session.show_list(found, columns, nothing="the notebook is empty")


@app.command("reset-continuity")
@with_session
def reset_continuity(session: Session, job: Which, context: Context = None) -> None:
    """Let the next run begin anew, without what earlier ones came to or said."""
    session.api.post(f"{_path(session, job, context)}/continuity/reset")
    print(f"runs of job {job} that begin from now on know nothing of earlier ones")


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


@app.command("dry-run")
@with_session
def dry_run(
    session: Session,
    job: Which,
    context: Context = None,
    *,
    grant: Annotated[
        bool, typer.Option("--grant", help="Allow each of the calls that would ask, with just its arguments.")
    ] = False,
    wait_seconds: WaitSeconds = 600,
) -> None:
    """Show what a run of the job would call: what only reads is done, the rest is not."""
    found = job_id(session.api, job, context=context)
    accepted = session.api.post(f"/jobs/{found}/dry-run")
    rehearsed = wait_for_run(session.api, accepted["run_id"], seconds=wait_seconds)
    show_rehearsal(session, rehearsed)
    if grant:
        grant_each(session, found, rehearsed["rehearsed_calls"])


def _runs(job: Row) -> str:
    return job["agent_name"] if job.get("tool") is None else f"{job['tool']} (tool)"


def _costs(usage: Row) -> dict[str, Any]:
    """Of the last 30 days and the next; nothing where nothing was spent."""
    if not usage["tokens_per_run"]:
        return {}
    unknown = f" (without {usage['unpriced_requests']} requests)" if usage["unpriced_requests"] else ""
    dollars = usage["cost_per_run_usd"] is not None
    return {
        "tokens_per_run": usage["tokens_per_run"],
        "cost_per_run": f"${usage['cost_per_run_usd']}{unknown}" if dollars else None,
        "forecast_month": f"{usage['forecast_runs']:,} runs, {usage['forecast_tokens']:,} tokens"
        + (f", ${usage['forecast_usd']}" if dollars else ""),
    }


def _when(occurrence: Row) -> str:
    """A range with its end and how many instants it stands for."""
    begin = local_time(occurrence["scheduled_for"])
    if occurrence["instants"] == 1:
        return begin
    return f"{begin} … {local_time(occurrence['last_instant'])} ({occurrence['instants']})"


def _path(session: Session, job: str, context: str | None) -> str:
    return f"/jobs/{job_id(session.api, job, context=context)}"


def _given(**fields: object) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _show(session: Session, job: dict[str, Any]) -> None:
    session.show(job, long=("skill_prompt", "last_run_result"))
