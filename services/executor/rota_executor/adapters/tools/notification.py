"""Telling people something before the run ends."""

from collections.abc import Mapping
from typing import Any

from rota_contracts.tools import ToolDescription
from rota_executor.adapters.registry import Registry, ToolFunction
from rota_executor.calls import ToolCall
from rota_executor.notices import MOST_OF_A_RUN, Notices

SEND = ToolDescription(
    name="send_notification",
    description="Tells people something at once: in the bell, and on the channel of the job if it has one.",
    effect="write",
    idempotent=True,
    parameters={
        "type": "object",
        "properties": {
            "title": {"type": "string", "minLength": 1, "maxLength": 200, "description": "one line"},
            "message": {"type": "string", "maxLength": 4000, "description": "plain text"},
        },
        "required": ["title"],
        "additionalProperties": False,
    },
)


def register(registry: Registry, notices: Notices) -> None:
    registry.add_tool(SEND, sending(notices))


def sending(notices: Notices) -> ToolFunction:
    async def send(arguments: Mapping[str, Any], call: ToolCall) -> str:
        title = " ".join(arguments["title"].split())
        if not await notices.tell(call, title, arguments.get("message", "")):
            raise ValueError(f"this run has sent {MOST_OF_A_RUN} notifications already, and may send no more")
        return "it is on its way"

    return send
