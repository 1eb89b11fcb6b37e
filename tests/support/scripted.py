"""Models whose words are exact: a plug-in of the executor (EXECUTOR_PLUGINS=tests.support.scripted)."""

import asyncio
import re

from pydantic_ai.exceptions import ModelHTTPError
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart, ToolReturnPart
from pydantic_ai.models.function import AgentInfo, FunctionModel

from rota_executor.adapters.registry import Registry

ANSWER = "All is well."
BLOCKS = ("First block.", "Second block.")


def register(registry: Registry) -> None:
    registry.add_models("scripted", model)


def model(script: str) -> FunctionModel:
    """`noop`, `slow` (the prompt says "sleep 3"), `blocks`, `long`, `fail`, `echo`, `calls:<tool>`."""
    name, _, argument = script.partition(":")

    async def answer(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        if name == "slow":
            seconds = re.findall(r"sleep (\d+(?:\.\d+)?)", prompt(messages))
            await asyncio.sleep(float(seconds[-1]) if seconds else 1)
        if name == "fail":
            raise ModelHTTPError(500, script, {"message": "the script says no"})
        if name == "blocks":
            return ModelResponse(parts=[TextPart(text) for text in BLOCKS])
        if name == "long":
            return ModelResponse(parts=[TextPart("long " * 100_000)])
        if name == "echo":
            return ModelResponse(parts=[TextPart(prompt(messages))])
        if name == "calls":
            outputs = tool_outputs(messages)
            if outputs:
                return ModelResponse(parts=[TextPart(outputs[-1])])
            return ModelResponse(parts=[TextPart("Let me look."), ToolCallPart(argument, {})])
        return ModelResponse(parts=[TextPart(ANSWER)])

    return FunctionModel(answer, model_name=script)


def prompt(messages: list[ModelMessage]) -> str:
    """What the user said last."""
    texts = [
        part.content
        for message in messages
        for part in message.parts
        if part.part_kind == "user-prompt" and isinstance(part.content, str)
    ]
    return texts[-1] if texts else ""


def tool_outputs(messages: list[ModelMessage]) -> list[str]:
    return [
        part.model_response_str()
        for message in messages
        for part in message.parts
        if isinstance(part, ToolReturnPart)
    ]
