"""`rota cron`: what a schedule would do; it needs no gateway."""

from datetime import UTC, datetime
from typing import Annotated, Literal

import typer

from rota_cli.client.moment import given
from rota_cli.client.view import Column, show_json, show_table
from rota_cli.errors import CliError


def cron(
    expression: Annotated[
        str, typer.Argument(help='Fields, "@daily", "@every 90s", "@at 2027-01-31T09:00"; several with ";".')
    ],
    timezone: Annotated[str, typer.Option("--tz", help="An IANA name.")] = "UTC",
    count: Annotated[int, typer.Option(min=1, max=1000, help="So many of the next instants.")] = 5,
    after: Annotated[str | None, typer.Option(help="Those after this instant.  (default: now)")] = None,
    dst_gap: Annotated[
        Literal["shift", "skip"], typer.Option(help="A time that the clock skips: run after it, or not.")
    ] = "shift",
    dst_repeat: Annotated[
        Literal["first", "both"], typer.Option(help="A time that the clock shows twice.")
    ] = "first",
    *,
    seconds: Annotated[bool, typer.Option("--seconds", help="Allow six fields, the second first.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print it as the gateway's preview does.")] = False,
) -> None:
    """Say a schedule in words, and when it is due next."""
    from rota_schedule import ScheduleError, check, parse, preview  # noqa: PLC0415 - keeps the others fast

    begin = datetime.fromisoformat(given(after)) if after else datetime.now(UTC)
    try:
        schedule = parse(
            expression,
            timezone,
            dst_gap=dst_gap,
            dst_repeat=dst_repeat,
            seconds_field=seconds,
            anchor=begin.replace(microsecond=0) if "@every" in expression.lower() else None,
        )
        check(schedule, begin)
    except ScheduleError as error:
        raise CliError(f"{error.field}: {error.reason}", remedy="correct it, and ask again") from error
    found = preview(schedule, begin, count)
    if as_json:
        instants = [
            {"utc": f"{one.utc:%Y-%m-%dT%H:%M:%SZ}", "local": one.local.isoformat(), "note": one.note}
            for one in found
        ]
        show_json({"description": schedule.describe(), "next": instants})
        return
    print(f"{schedule.describe()}\n")
    columns: list[Column] = [
        (timezone, lambda row: f"{row['local']:%a %Y-%m-%d %H:%M:%S %z}"),
        ("UTC", lambda row: f"{row['utc']:%Y-%m-%d %H:%M:%S}"),
        ("", lambda row: row["note"]),
    ]
    show_table(columns, [one._asdict() for one in found], nothing="nothing is due any more")
