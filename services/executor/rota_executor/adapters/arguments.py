"""The arguments of a call against the JSON Schema of its tool: models, and people, get them wrong."""

from collections.abc import Callable, Mapping
from typing import Any

Checker = Callable[[Mapping[str, Any]], str | None]
MAX_PROBLEM = 300


def checker_of(schema: dict[str, Any]) -> Checker:
    """A function that says what is wrong with arguments, None where nothing is.

    A schema that is none itself checks nothing: the tool then sees for itself.
    """
    # Slow, and not needed before a tool is called.
    from jsonschema import SchemaError  # noqa: PLC0415
    from jsonschema.validators import validator_for  # noqa: PLC0415
    from referencing import Registry  # noqa: PLC0415
    from referencing.exceptions import Unresolvable  # noqa: PLC0415

    kind = validator_for(schema)
    try:
        kind.check_schema(schema)
    except SchemaError:
        return lambda _: None
    # A registry of its own: a reference to elsewhere is never fetched.
    validator = kind(schema, registry=Registry())

    def problem(arguments: Mapping[str, Any]) -> str | None:
        try:
            error = next(validator.iter_errors(arguments), None)
        except Unresolvable:
            return None
        if error is None:
            return None
        place = error.json_path.removeprefix("$").removeprefix(".")
        return f"{place}: {error.message}"[:MAX_PROBLEM] if place else str(error.message)[:MAX_PROBLEM]

    return problem
