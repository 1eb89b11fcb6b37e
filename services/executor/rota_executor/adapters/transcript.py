"""A conversation as the history keeps it: who said what, in order."""

import json
from collections.abc import Iterable, Iterator, Sequence

from pydantic_ai.messages import (
    ModelMessage,
    ModelRequest,
    ModelResponse,
    SystemPromptPart,
    TextPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)

from rota_executor.agent import Example

Entry = dict[str, str]


def entry(role: str, content: str) -> Entry:
    return {"role": role, "content": content}


def entries(messages: Iterable[ModelMessage]) -> list[Entry]:
    """What was said in messages of the agent runtime; tool calls as `name(arguments)`."""
    return [one for message in messages for one in _of(message)]


def _of(message: ModelMessage) -> Iterator[Entry]:
    if isinstance(message, ModelResponse):
        for answer in message.parts:
            if isinstance(answer, TextPart) and answer.content:
                yield entry("assistant", answer.content)
            elif isinstance(answer, ToolCallPart):
                arguments = json.dumps(answer.args_as_dict(), ensure_ascii=False, default=str)
                yield entry("assistant", f"{answer.tool_name}({arguments})")
        return
    for part in message.parts:
        if isinstance(part, SystemPromptPart):
            yield entry("system", part.content)
        elif isinstance(part, UserPromptPart):
            yield entry("user", part.content if isinstance(part.content, str) else str(part.content))
        elif isinstance(part, ToolReturnPart):
            yield entry("tool", f"{part.tool_name}: {_text(part.content)}")
        elif hasattr(part, "model_response"):  # what the runtime tells a model that must try again
            yield entry("user", str(part.model_response()))


def _text(content: object) -> str:
    return content if isinstance(content, str) else json.dumps(content, ensure_ascii=False, default=str)


def turns(examples: Sequence[Example]) -> list[ModelMessage]:
    """Examples as a conversation that has been."""
    messages: list[ModelMessage] = []
    for example in examples:
        messages.append(ModelRequest(parts=[UserPromptPart(example.input)]))
        messages.append(ModelResponse(parts=[TextPart(example.output)]))
    return messages
