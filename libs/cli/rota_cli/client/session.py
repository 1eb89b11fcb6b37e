"""What every command that talks to the gateway has: the options that say where, and the connection."""

import functools
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Concatenate, ParamSpec

import typer

from rota_cli.client.api import Api
from rota_cli.client.connection import resolve
from rota_cli.client.view import Column, Row, show_fields, show_json, show_table
from rota_cli.up.options import DEFAULT_DATA_DIR

P = ParamSpec("P")

_OPTIONS: dict[str, tuple[Any, object]] = {
    "url": (
        Annotated[
            str | None, typer.Option(help="The gateway's address.  (else ROTA_URL, else that of 'rota up')")
        ],
        None,
    ),
    "api_key_file": (
        Annotated[Path | None, typer.Option(help="A file with the API key.  (else ROTA_API_KEY)")],
        None,
    ),
    "data_dir": (Annotated[Path, typer.Option(help="The data directory of 'rota up'.")], DEFAULT_DATA_DIR),
    "as_json": (Annotated[bool, typer.Option("--json", help="Print the JSON of the API.")], False),
}


@dataclass(frozen=True)
class Session:
    api: Api
    as_json: bool

    def show(self, thing: Row, *, long: Sequence[str] = ()) -> None:
        """One thing, as JSON where that was asked for."""
        if self.as_json:
            show_json(thing)
        else:
            show_fields(thing, long=long)

    def show_list(self, found: Row, columns: Sequence[Column], *, nothing: str) -> None:
        """A page of the API; `nothing` is what stands for no item."""
        if self.as_json:
            show_json(found)
        else:
            show_table(columns, found["items"], nothing=nothing)


def with_session(command: Callable[Concatenate[Session, P], None]) -> Callable[P, None]:
    """Give the command the shared options, and a session made from them as its first argument."""

    @functools.wraps(command)
    def run(*arguments: P.args, **choices: P.kwargs) -> None:
        where: dict[str, Any] = {name: choices.pop(name) for name in _OPTIONS}
        as_json = where.pop("as_json")
        connection = resolve(**where)
        with Api(connection.url, connection.key) as api:
            command(Session(api, as_json), *arguments, **choices)

    own = list(inspect.signature(command, eval_str=True).parameters.values())[1:]
    shared = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=annotation, default=default)
        for name, (annotation, default) in _OPTIONS.items()
    ]
    run.__signature__ = inspect.Signature([*own, *shared])  # type: ignore[attr-defined]  # typer reads it
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in (*own, *shared)}
    del run.__wrapped__  # else the annotations of the command itself are read
    return run
