"""Statements with parameters as `:name`, the way PostgreSQL takes them: as `$1`."""

import functools
import re
from collections.abc import Mapping
from typing import Any

# What a colon in it does not begin a parameter: text, names, comments, casts. Then the parameters; a colon
# behind a word is a slice of an array.
_TOKEN = re.compile(
    r"""
    (?<!\w) [eE] ' (?: [^'\\] | '' | \\. )* '
    | ' [^']* '
    | " [^"]* "
    | (?<!\w) (?P<tag> \$ (?: [A-Za-z_]\w* )? \$ ) .*? (?P=tag)
    | -- [^\n]*
    | /\* .*? \*/
    | ::
    | (?<!\w) : (?P<name> [A-Za-z_]\w* )
    """,
    re.VERBOSE | re.DOTALL,
)


def positional(statement: str, values: Mapping[str, Any] | None) -> tuple[str, list[Any]]:
    """The statement with `$1`, `$2`, … and the values in that order.

    Raises:
        TypeError: a parameter has no value, or a value no parameter.

    """
    text, names = _compiled(statement)
    given = values or {}
    if given.keys() != names.keys():
        missing, unknown = sorted(names.keys() - given.keys()), sorted(given.keys() - names.keys())
        raise TypeError(f"parameters without a value: {missing}, values without a parameter: {unknown}")
    return text, [given[name] for name in names]


@functools.lru_cache(maxsize=1000)
def _compiled(statement: str) -> tuple[str, dict[str, int]]:
    """The statement as PostgreSQL takes it, and the number of each parameter, in their order."""
    numbers: dict[str, int] = {}

    def number(token: re.Match[str]) -> str:
        name = token["name"]
        return token[0] if name is None else f"${numbers.setdefault(name, len(numbers) + 1)}"

    return _TOKEN.sub(number, statement), numbers
