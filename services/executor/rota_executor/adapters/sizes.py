"""At most how many tokens a request to a model may take: what is reserved before the call."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic_ai.messages import ModelMessage, ModelResponse, ToolCallPart
from pydantic_ai.models import ModelRequestParameters

# What providers add of their own: to each request, for its tools, around each part of a message.
FRAME, TOOLS_FRAME, PART_FRAME = 64, 512, 16
# What the agent runtime makes of the setting `thinking` at the most.
MOST_THINKING = 32_768


def input_tokens(
    messages: Sequence[ModelMessage], parameters: ModelRequestParameters, *, is_counted: bool
) -> int:
    """A token is at least one byte of text, so there are no more tokens than bytes.

    With `is_counted` the same model has answered before: its own count holds for all up to that answer.
    """
    if is_counted:
        for number in range(len(messages) - 1, -1, -1):
            message = messages[number]
            if isinstance(message, ModelResponse) and message.usage.input_tokens:
                return message.usage.input_tokens + FRAME + sum(_size(one) for one in messages[number:])
    tools = [*parameters.function_tools, *parameters.output_tools]
    described = sum(
        len(tool.name) + _bytes(tool.description or "") + _bytes(json.dumps(tool.parameters_json_schema))
        for tool in tools
    )
    return FRAME + (TOOLS_FRAME if tools else 0) + described + sum(_size(one) for one in messages)


def output_tokens(response: ModelResponse) -> int:
    """Of an answer that its provider did not count."""
    return _size(response)


def thinking_tokens(settings: Mapping[str, Any]) -> int:
    """How many tokens of its answer a model may spend on thinking; the rest needs room beside them."""
    if budget := (settings.get("anthropic_thinking") or {}).get("budget_tokens"):
        return int(budget)
    return MOST_THINKING if settings.get("thinking") else 0


def _size(message: ModelMessage) -> int:
    instructions = getattr(message, "instructions", None) or ""
    return _bytes(instructions) + sum(PART_FRAME + _bytes(text) for text in _texts(message))


def _texts(message: ModelMessage) -> Iterable[str]:
    for part in message.parts:
        if isinstance(part, ToolCallPart):
            yield part.tool_name + part.args_as_json_str()
        else:
            content = getattr(part, "content", "")
            yield content if isinstance(content, str) else json.dumps(content, default=str)


def _bytes(text: str) -> int:
    return len(text.encode(errors="replace"))
