"""What an agent reported of its run, read from the conversation."""

from collections.abc import Sequence
from typing import Any

from pydantic_ai.messages import ModelMessage, ToolCallPart, ToolReturnPart

from rota_contracts.values import ReportedOutcome
from rota_executor.agent import REPORT_OUTCOME


def reported(messages: Sequence[ModelMessage]) -> ReportedOutcome | None:
    """The last report that was taken; none of a plain answer."""
    parts = [part for message in messages for part in message.parts]
    taken = {
        part.tool_call_id
        for part in parts
        if isinstance(part, ToolReturnPart) and part.tool_name == REPORT_OUTCOME and part.outcome == "success"
    }
    calls = [part for part in parts if isinstance(part, ToolCallPart) and part.tool_call_id in taken]
    return _outcome(calls[-1].args_as_dict()) if calls else None


def _outcome(arguments: dict[str, Any]) -> ReportedOutcome:
    """Of arguments that the tool has checked."""
    is_bad = arguments["status"] in {"needs_attention", "failed"}
    return ReportedOutcome(**{"severity": "warning" if is_bad else "info", **arguments})
