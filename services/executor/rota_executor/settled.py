"""What a run that was interrupted has done already, as far as that is known or a person said so."""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

# What the model is told in the place of an output that nobody knows.
DONE_BEFORE = (
    "This call was made already, before the run was interrupted, and it took effect. What it answered is not "
    "known. Go on as if it had succeeded."
)


class Settled:
    """Calls that are not made again by another attempt of the run; each is answered for once."""

    def __init__(self, calls: Iterable[tuple[str, Any]] = ()) -> None:
        """Each with the name of its tool, and its arguments where they are known."""
        self._calls = [(tool, _plain(arguments)) for tool, arguments in calls]
        self._tools = frozenset(tool for tool, _ in self._calls)

    def take(self, tool: str, arguments: Mapping[str, Any]) -> bool:
        """Whether this very call was made already."""
        call = (tool, _plain(arguments))
        if call not in self._calls:
            return False
        self._calls.remove(call)
        return True

    def concerns(self, tool: str) -> bool:
        """Whether the tool did something: another call of it may be the same in other words."""
        return tool in self._tools


def _plain(arguments: object) -> bytes:
    return msgspec.json.encode(arguments, order="deterministic")
