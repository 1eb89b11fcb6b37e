"""The `rota` command."""

import sys

import typer

from rota_cli.commands import (
    agents,
    approvals,
    budgets,
    calendars,
    contexts,
    credentials,
    cron,
    doctor,
    effects,
    files,
    grants,
    jobs,
    keys,
    mcp,
    members,
    notifications,
    runs,
    tools,
    up,
    usage,
    users,
    why,
)
from rota_cli.errors import CliError

app = typer.Typer(
    name="rota",
    help="AI agents on a schedule: the whole system on this machine, and a client of the gateway.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("up")(up.up)
app.command("down")(up.down)
app.command("apply")(files.apply)
app.command("export")(files.export)
app.command("tools")(tools.tools)
app.command("cron")(cron.cron)
app.command("usage")(usage.usage)
app.command("why")(why.why)
app.command("doctor")(doctor.doctor)
app.add_typer(contexts.app, name="contexts")
app.add_typer(members.app, name="members")
app.add_typer(users.app, name="users")
app.add_typer(keys.app, name="keys")
app.add_typer(jobs.app, name="jobs")
app.add_typer(agents.app, name="agents")
app.add_typer(budgets.app, name="budgets")
app.add_typer(calendars.app, name="calendars")
app.add_typer(credentials.app, name="credentials")
app.add_typer(mcp.app, name="mcp")
app.add_typer(runs.app, name="runs")
app.add_typer(approvals.app, name="approvals")
app.add_typer(effects.app, name="effects")
app.add_typer(grants.app, name="grants")
app.add_typer(notifications.app, name="notifications")


def main() -> None:
    try:
        app()
    except CliError as error:
        sys.stderr.write(f"rota: {error}\n")
        sys.exit(1)


if __name__ == "__main__":
    main()
