"""What a person allowed for good: which calls a standing grant covers, and what it is bound to."""

import hashlib
from collections.abc import Mapping
from typing import Any, Literal

import msgspec
from msgspec import Struct

from rota_contracts.tools import ToolDescription


class Exactly(Struct, frozen=True, tag_field="match", tag="exact"):
    """The argument must be there with this value, of this type: 1 is neither 1.0 nor true."""

    value: Any


class Anything(Struct, frozen=True, tag_field="match", tag="any"):
    """The argument may be left out, or have any value."""


class Pattern(Struct, frozen=True, kw_only=True):
    """The arguments that are covered; `other_arguments` are those that are not named."""

    arguments: dict[str, Exactly | Anything] = {}
    other_arguments: Literal["none", "any"] = "none"

    def covers(self, given: Mapping[str, Any]) -> bool:
        """Whether a call with these arguments is one of those that were meant."""
        if self.other_arguments == "none" and not given.keys() <= self.arguments.keys():
            return False
        return all(
            name in given and _plain(given[name]) == _plain(wanted.value)
            for name, wanted in self.arguments.items()
            if isinstance(wanted, Exactly)
        )


def exactly(arguments: Mapping[str, Any]) -> Pattern:
    """These arguments and no others."""
    return Pattern(arguments={name: Exactly(value) for name, value in arguments.items()})


def tool_hash(tool: ToolDescription) -> bytes:
    """SHA-256 of what a person who allowed the tool knew of it: description, effect, JSON Schema."""
    return hashlib.sha256(_plain([tool.name, tool.description, tool.effect, tool.parameters])).digest()


def prompt_hash(prompt: str) -> bytes:
    """SHA-256 of what the job asks its agent to do."""
    return hashlib.sha256(prompt.encode()).digest()


def _plain(value: Any) -> bytes:
    """One text for one JSON value, however its objects are ordered."""
    return msgspec.json.encode(value, order="deterministic")
