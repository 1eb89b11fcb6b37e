"""How the terms of a standing grant are said."""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any

import msgspec
import typer

from rota_cli.errors import CliError

Days = Annotated[int | None, typer.Option(min=1, help="How long it is allowed; 30 days when left out.")]
Uses = Annotated[int | None, typer.Option(min=1, help="For how many calls; any number when left out.")]


def terms(*, days: int | None, uses: int | None) -> dict[str, Any]:
    """Those that were said."""
    said = {"expires_in_days": days, "max_uses": uses}
    return {name: value for name, value in said.items() if value is not None}


def fixed(arguments: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """Calls in which these arguments have the values that they have here.

    Raises:
        CliError: one of them is not there.

    """
    if missing := [name for name in names if name not in arguments]:
        raise CliError(
            f"the call has no argument {missing[0]!r}", remedy=f"it has {', '.join(arguments) or 'none'}"
        )
    return {"arguments": exactly({name: arguments[name] for name in names}), "other_arguments": "any"}


def exactly(arguments: Mapping[str, Any]) -> dict[str, Any]:
    return {name: {"match": "exact", "value": value} for name, value in arguments.items()}


def json_object(option: str, text: str) -> dict[str, Any]:
    """Raises CliError for what is no JSON object."""
    try:
        return msgspec.json.decode(text, type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise CliError(
            f"{option} is no JSON object: {error}", remedy='write it like \'{"url": "https://…"}\''
        ) from error
