"""Tools of MCP servers: how they are called among the other ones."""

import hashlib
import re
from typing import Any

SEPARATOR = "__"
MAX_NAME = 64
HASH = 8
# What a schema may say that takes for ever to look at, or never ends.
COSTLY = frozenset({"pattern", "patternProperties", "$ref", "$dynamicRef", "$recursiveRef"})
_OTHER = re.compile(r"[^A-Za-z0-9_-]")


def tool_name(server: str, tool: str) -> str:
    """`server__tool`, in the letters and the length that models take.

    What has to be changed for that is told apart from what looks the same by a hash at its end.
    """
    plain = f"{server}{SEPARATOR}{tool}"
    name = _OTHER.sub("_", plain)
    if name == plain and len(name) <= MAX_NAME:
        return name
    digest = hashlib.sha256(plain.encode()).hexdigest()[:HASH]
    return f"{name[: MAX_NAME - HASH - 1]}_{digest}"


def checkable(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    """The schema that arguments of the tool are held against before it is called.

    Strangers write those of servers: one with regular expressions or references could keep a whole service
    busy. Against such a schema the server itself looks.
    """
    return {} if SEPARATOR in name and _is_costly(schema) else schema


def _is_costly(schema: Any) -> bool:
    places = [schema]
    while places:
        place = places.pop()
        if isinstance(place, dict):
            if not COSTLY.isdisjoint(place):
                return True
            places += place.values()
        elif isinstance(place, list):
            places += place
    return False
