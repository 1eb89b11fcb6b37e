"""What a person may say about a job: one option for each field that the gateway takes."""

import functools
import inspect
import json
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

import typer

from rota_cli.client.moment import given
from rota_cli.errors import CliError

Strings = list[str] | None
INSTANTS = ("start_at", "end_at", "paused_until")


def _option(kind: Any, *names: str, help: str, **more: Any) -> Any:  # noqa: A002 - typer's word
    return Annotated[kind | None, typer.Option(*names, help=help, **more)]


# By the name of the field.
FIELDS: dict[str, Any] = {
    "timezone": _option(str, help="An IANA name.  (default: UTC)"),
    "seconds_field": _option(bool, "--seconds/--no-seconds", help="Allow six fields, the second first."),
    "dst_gap": _option(Literal["shift", "skip"], help="A time that the clock skips: run after it, or not."),
    "dst_repeat": _option(Literal["first", "both"], help="A time that the clock shows twice."),
    "start_at": _option(str, help="Not before; local time unless it has an offset."),
    "end_at": _option(str, help="Not after; local time unless it has an offset."),
    "max_runs": _option(int, help="Over after so many runs."),
    "jitter_seconds": _option(int, help="Start up to so much later, the same for each instant."),
    "excluded_dates": _option(
        list[str], "--exclude", help="A day to leave out, e.g. 2027-12-24; repeatable."
    ),
    "calendars": _option(list[str], "--calendar", help="A calendar whose days are left out; repeatable."),
    "overlap_policy": _option(
        Literal["skip", "buffer_one", "allow", "cancel_other"],
        "--overlap",
        help="What becomes of a due run while another is open.  (default: skip)",
    ),
    "catch_up_policy": _option(
        Literal["latest", "all", "skip"], "--catch-up", help="After a downtime.  (default: latest)"
    ),
    "catch_up_window_seconds": _option(int, help="What is older is missed.  (default: 3600)"),
    "catch_up_max_runs": _option(int, help="Of --catch-up all.  (default: 100)"),
    "agent_name": _option(str, "--agent", help="The agent to run.  (default: orchestrator)"),
    "tool": _option(str, help="Instead of an agent: call this tool, without a model."),
    "arguments": _option(str, help='Of the tool, as JSON, e.g. \'{"path": "/"}\'.'),
    "description": _option(str, help="For people."),
    "notification_channel": _option(str, "--notify-channel", help="Where the result is told, e.g. email."),
    "notification_target": _option(str, "--notify-target", help="The address on that channel."),
    "timeout_seconds": _option(int, help="Seconds a run may take.  (default: 300)"),
    "max_retries": _option(int, help="How often a failed run is tried again.  (default: 0)"),
    "retry_backoff": _option(Literal["fixed", "exponential"], help="How the delay grows.  (default: fixed)"),
    "retry_backoff_seconds": _option(int, help="The first delay.  (default: 30)"),
    "retry_backoff_max_seconds": _option(int, help="The longest delay.  (default: 3600)"),
    "priority": _option(int, help="Within the context: 1 goes first, 9 last.  (default: 5)"),
    "queue_ttl_seconds": _option(int, help="A run that has waited longer is missed."),
    "auto_pause_after": _option(int, help="Pause after so many failures in a row."),
    "continuity": _option(
        Literal["none", "last_outcome", "last_n_outcomes", "conversation"],
        help="What a run is told of those before it.  (default: none)",
    ),
    "continuity_outcomes": _option(int, help="Of --continuity last_n_outcomes.  (default: 5)"),
    "continuity_max_chars": _option(int, help="What is older is left out.  (default: 20000)"),
    "approval_expiry_seconds": _option(int, help="How long a call waits for a person.  (default: a day)"),
    "approval_expiry_action": _option(
        Literal["deny", "fail"], help="When nobody decides in time.  (default: deny)"
    ),
    "paused_until": _option(str, help="What is due before does not run."),
}


def with_fields(command: Callable[..., None]) -> Callable[..., None]:
    """Gives the command these options, and what was said as its argument `fields`."""

    @functools.wraps(command)
    def run(*arguments: Any, **choices: Any) -> None:
        said = {name: choices.pop(name) for name in FIELDS}
        command(*arguments, **choices, fields=_body(said))

    own = [
        one for one in inspect.signature(command, eval_str=True).parameters.values() if one.name != "fields"
    ]
    options = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=annotation, default=None)
        for name, annotation in FIELDS.items()
    ]
    ordered = sorted([*own, *options], key=lambda one: one.kind)
    run.__signature__ = inspect.Signature(ordered)  # type: ignore[attr-defined]  # with_session reads it
    del run.__wrapped__  # else the signature of the command itself is read
    return run


def _body(said: Mapping[str, Any]) -> dict[str, Any]:
    body = {name: value for name, value in said.items() if value is not None and value != []}
    if "arguments" in body:
        body["arguments"] = _object(body["arguments"])
    return body | {name: given(body[name]) for name in INSTANTS if name in body}


def _object(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise CliError(
            f"--arguments is no JSON: {error}", remedy='write them like \'{"path": "/"}\''
        ) from error
