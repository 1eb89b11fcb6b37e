"""How an agent says what its run came to, for machines: Rota offers it to each agent that can call tools."""

from collections.abc import Mapping
from typing import Any, get_args

from rota_contracts.tools import ToolDescription
from rota_contracts.values import OutcomeStatus, Severity
from rota_executor.adapters.registry import Registry
from rota_executor.agent import REPORT_OUTCOME
from rota_executor.calls import ToolCall

REPORT = ToolDescription(
    name=REPORT_OUTCOME,
    description=(
        "Reports what this run came to. Call it exactly once, when everything else is done, "
        "and give your answer to the user as text after it."
    ),
    effect="read",
    idempotent=True,
    parameters={
        "type": "object",
        "properties": {
            "status": {
                "enum": list(get_args(OutcomeStatus)),
                "description": (
                    "changed: there is something new to tell; nothing: there is nothing new; "
                    "needs_attention: a person has to look at it; failed: you could not do the task"
                ),
            },
            "summary": {
                "type": "string",
                "maxLength": 2000,
                "description": "one or two plain sentences for a person",
            },
            "severity": {"enum": list(get_args(Severity))},
            "fingerprint": {
                "type": "string",
                "maxLength": 200,
                "description": "a short key of what it is about, the same each time the same thing is found",
            },
        },
        "required": ["status", "summary"],
        "additionalProperties": False,
    },
)


def register(registry: Registry) -> None:
    registry.add_tool(REPORT, note)


async def note(_arguments: Mapping[str, Any], _call: ToolCall) -> str:
    """What was reported is read from the conversation when that is over: it outlives a run that parks."""
    return "Noted. Now give your answer to the user: only what you say next is kept as the answer."
