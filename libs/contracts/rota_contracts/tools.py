"""The tools that ship with Rota, as data: the gateway offers them, the executor implements each by its name.

A tool returns text; where it looks at several things, one fact per line.
"""

from typing import Any, Literal

from msgspec import Struct

Effect = Literal["read", "write"]
Policy = Literal["auto", "ask", "deny"]


def default_policy(effect: Effect) -> Policy:
    """Of a tool that an agent is linked with and no more is said: what only reads need not ask."""
    return "auto" if effect == "read" else "ask"


class ToolDescription(Struct, frozen=True, kw_only=True):
    """`parameters` is the JSON Schema of the tool's arguments."""

    name: str
    description: str
    effect: Effect
    parameters: dict[str, Any]


def _reads(name: str, description: str, properties: dict[str, Any] | None = None) -> ToolDescription:
    schema = {"type": "object", "properties": properties or {}, "additionalProperties": False}
    return ToolDescription(name=name, description=description, effect="read", parameters=schema)


BUILT_IN = (
    _reads(
        "machine_disk",
        "How full the disks of this machine are.",
        {"path": {"type": "string", "description": "a path on the disk to look at; default /"}},
    ),
    _reads("machine_memory", "How much of this machine's memory is used."),
    _reads("machine_load", "The load of this machine and the number of its cores."),
    _reads("rota_health", "Which of Rota's own services answer, and which do not."),
    _reads(
        "clock",
        "The date and time now.",
        {"timezone": {"type": "string", "description": "an IANA time zone; default UTC"}},
    ),
)
