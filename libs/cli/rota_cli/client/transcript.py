"""A conversation as people read it."""

from collections.abc import Mapping
from typing import Any

from rota_cli.client.moment import duration


def transcribed(message: Mapping[str, Any]) -> str:
    """Who said it, what the call took and cost, and below what was said."""
    return f"{heading(message)}\n{message['content']}\n"


def heading(message: Mapping[str, Any]) -> str:
    """`assistant (claude, 1.2 s, 900 tokens in, 40 out)`."""
    who = message["role"]
    if who == "tool" and message.get("tool_name"):
        who = f"tool {message['tool_name']}"
    details = [message.get("model"), duration(message.get("duration_ms"))]
    if message.get("input_tokens") is not None:
        details.append(f"{message['input_tokens']} tokens in, {message['output_tokens']} out")
    if message.get("status") not in {None, "success"}:
        details.append(message["status"])
    told = ", ".join(str(detail) for detail in details if detail)
    return f"{who} ({told})" if told else who
