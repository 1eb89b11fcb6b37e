"""A dry run: what reads is done, everything else is written down instead."""

from collections.abc import Mapping
from typing import Any

import msgspec

from rota_contracts.tools import Policy, ToolDescription
from rota_contracts.values import RehearsedCall
from rota_executor.agent import REPORT_OUTCOME
from rota_executor.domain import MAX_ARGUMENTS_BYTES, Record

RECORDED = "This is a dry run: the call was written down and not made. Go on as if it had succeeded."
MAX_CALLS = 100
LEFT_OUT = "The dry run made more calls than can be listed; the list holds the first of them."


def is_made(tool: ToolDescription, policy: Policy) -> bool:
    """Whether a dry run makes the call: one that only reads, and that nobody would be asked for."""
    return tool.effect == "read" and policy == "auto"


def note(
    record: Record, tool: ToolDescription, policy: Policy, arguments: Mapping[str, Any], *, is_granted: bool
) -> None:
    """Lists a call in the record of the run; so many of them, and so large ones, as an event can hold."""
    if tool.name == REPORT_OUTCOME:
        return
    size = sum(len(msgspec.json.encode(call.arguments)) for call in record.rehearsed)
    size += len(msgspec.json.encode(arguments))
    if len(record.rehearsed) >= MAX_CALLS or size > MAX_ARGUMENTS_BYTES:
        if LEFT_OUT not in record.warnings:
            record.warnings.append(LEFT_OUT)
        return
    record.rehearsed.append(
        RehearsedCall(
            tool_name=tool.name,
            arguments=dict(arguments),
            effect=tool.effect,
            policy=policy,
            is_granted=is_granted,
            is_made=is_made(tool, policy),
        )
    )
