"""Models whose words are exact: a plug-in of the executor (EXECUTOR_PLUGINS=tests.support.scripted).

The name of a model is its script: `scripted:noop`, `scripted:says:<text>` and so on, a function below each.
Those of `paid` cost a dollar for a million tokens in and two for a million out; of `priceless` nobody knows.
"""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from decimal import Decimal

from pydantic_ai.exceptions import ModelHTTPError
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart, ToolReturnPart
from pydantic_ai.models.function import AgentInfo, FunctionModel

from rota_executor.adapters.registry import Registry
from rota_prices import FREE, FlatPrice

ANSWER = "All is well."
BLOCKS = ("First block.", "Second block.")

Messages = list[ModelMessage]
Script = Callable[[Messages, AgentInfo, str], Awaitable[ModelResponse]]


def register(registry: Registry) -> None:
    registry.add_models("scripted", model, price=FREE)
    registry.add_models("paid", model, price=FlatPrice(Decimal(1), Decimal(2)))
    registry.add_models("priceless", model)


def model(script: str) -> FunctionModel:
    name, _, argument = script.partition(":")
    follow = SCRIPTS[name]

    async def answer(messages: Messages, info: AgentInfo) -> ModelResponse:
        return await follow(messages, info, argument)

    return FunctionModel(answer, model_name=script)


async def noop(messages: Messages, info: AgentInfo, argument: str) -> ModelResponse:
    """Answers at once."""
    return said(ANSWER)


async def slow(messages: Messages, info: AgentInfo, argument: str) -> ModelResponse:
    """Takes as long as the prompt says: "sleep 3"."""
    seconds = re.findall(r"sleep (\d+(?:\.\d+)?)", prompt(messages))
    await asyncio.sleep(float(seconds[-1]) if seconds else 1)
    return said(ANSWER)


async def fail(messages: Messages, info: AgentInfo, argument: str) -> ModelResponse:
    raise ModelHTTPError(500, "fail", {"message": "the script says no"})


async def blocks(messages: Messages, info: AgentInfo, argument: str) -> ModelResponse:
    """Answers in several parts."""
    return said(*BLOCKS)


async def long(messages: Messages, info: AgentInfo, argument: str) -> ModelResponse:
    """Answers with half a million characters."""
    return said("long " * 100_000)


async def echo(messages: Messages, info: AgentInfo, argument: str) -> ModelResponse:
    """Answers with what it was asked."""
    return said(prompt(messages))


async def recalls(messages: Messages, info: AgentInfo, argument: str) -> ModelResponse:
    """Answers with all that it was ever asked."""
    asked = [str(part.content) for one in messages for part in one.parts if part.part_kind == "user-prompt"]
    return said(" | ".join(asked))


async def says(messages: Messages, info: AgentInfo, argument: str) -> ModelResponse:
    """`says:<text>` answers with the text."""
    return said(argument)


async def rewrites(messages: Messages, info: AgentInfo, argument: str) -> ModelResponse:
    """The prompt as a sentence; `rewrites:when warm` only when the temperature is raised."""
    warm = (info.model_settings or {}).get("temperature", 0) > 0
    return said(f"So: {prompt(messages)}." if warm or not argument else "It is 1 of 2.")


async def calls(messages: Messages, info: AgentInfo, argument: str) -> ModelResponse:
    """`calls:<tool>` calls the tool once, then answers with its output."""
    if outputs := tool_outputs(messages):
        return said(outputs[-1])
    return ModelResponse(parts=[TextPart("Let me look."), ToolCallPart(argument, {})])


async def plays(messages: Messages, info: AgentInfo, argument: str) -> ModelResponse:
    """`plays:<JSON>` a list of steps, one for each request: [tool, arguments], a text, null for a failure."""
    answered = sum(isinstance(message, ModelResponse) for message in messages)
    step = json.loads(argument)[answered]
    if step is None:
        raise ModelHTTPError(500, "plays", {"message": "the script says no"})
    if isinstance(step, str):
        return said(step.replace("{output}", "".join(tool_outputs(messages)[-1:])))
    tool, arguments = step
    return ModelResponse(parts=[ToolCallPart(tool, arguments)])


SCRIPTS: dict[str, Script] = {
    script.__name__: script
    for script in (noop, slow, fail, blocks, long, echo, recalls, says, rewrites, calls, plays)
}


def said(*texts: str) -> ModelResponse:
    return ModelResponse(parts=[TextPart(text) for text in texts])


def prompt(messages: Messages) -> str:
    """What the user said last."""
    texts = [
        part.content
        for message in messages
        for part in message.parts
        if part.part_kind == "user-prompt" and isinstance(part.content, str)
    ]
    return texts[-1] if texts else ""


def tool_outputs(messages: Messages) -> list[str]:
    return [
        str(part.content)
        for message in messages
        for part in message.parts
        if isinstance(part, ToolReturnPart)
    ]
