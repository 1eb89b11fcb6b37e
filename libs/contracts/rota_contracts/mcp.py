"""Tools of MCP servers: how they are called among the other ones."""

import hashlib
import re

SEPARATOR = "__"
MAX_NAME = 64
HASH = 8
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
