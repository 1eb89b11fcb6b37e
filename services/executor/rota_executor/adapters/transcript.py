"""A conversation as the history keeps it: who said what, in order, and how long the calls took."""

import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
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

from rota_contracts.transcript import Entry, Role
from rota_executor.agent import Example


class Timing(msgspec.Struct, frozen=True):
    """Of one call."""

    started_at: datetime
    duration_ms: int

    @classmethod
    def since(cls, started_at: datetime) -> "Timing":
        """Of a call that ends now."""
        return cls(started_at, round((now() - started_at).total_seconds() * 1000))


class Measured(msgspec.Struct):
    """The calls of the model in their order, those of tools by their id; it parks with a run."""

    requests: list[Timing] = []
    tools: dict[str, Timing] = {}


def now() -> datetime:
    return datetime.now(UTC)


def entry(role: Role, content: str, timing: Timing | None = None, **details: Any) -> Entry:
    if timing is not None:
        details |= {"started_at": timing.started_at, "duration_ms": timing.duration_ms}
    return Entry(role=role, content=content, **details)


def entries(
    messages: Iterable[ModelMessage], measured: Measured | None = None, *, answered: int = 0
) -> list[Entry]:
    """What was said in messages of the agent runtime; tool calls as `name(arguments)`.

    Before them the model had `answered` as often as that.
    """
    measured = measured or Measured()
    found: list[Entry] = []
    for message in messages:
        if isinstance(message, ModelResponse):
            timings = measured.requests[answered : answered + 1]
            found += _answer(message, timings[0] if timings else None)
            answered += 1
        else:
            found += _told(message, measured)
    return found


def _answer(message: ModelResponse, timing: Timing | None) -> list[Entry]:
    """At least one entry, so that each call of the model that was answered has one."""
    said = list(_said(message))
    if not said:
        if message.state == "interrupted":
            return []
        said = [entry("assistant", "")]
    usage = message.usage
    first = entry(
        "assistant",
        said[0].content,
        timing,
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        model=message.model_name or None,
        tool_name=said[0].tool_name,
        tool_call_id=said[0].tool_call_id,
        arguments=said[0].arguments,
    )
    return [first, *said[1:]]


def _said(message: ModelResponse) -> Iterator[Entry]:
    for part in message.parts:
        if isinstance(part, TextPart) and part.content:
            yield entry("assistant", part.content)
        elif isinstance(part, ToolCallPart):
            arguments = part.args_as_dict()
            text = json.dumps(arguments, ensure_ascii=False, default=str)
            yield entry(
                "assistant",
                f"{part.tool_name}({text})",
                tool_name=part.tool_name,
                tool_call_id=part.tool_call_id,
                arguments=arguments,
            )


def _told(message: ModelRequest, measured: Measured) -> Iterator[Entry]:
    for part in message.parts:
        if isinstance(part, SystemPromptPart):
            yield entry("system", part.content)
        elif isinstance(part, UserPromptPart):
            yield entry("user", part.content if isinstance(part.content, str) else str(part.content))
        elif isinstance(part, ToolReturnPart):
            yield entry(
                "tool",
                f"{part.tool_name}: {_text(part.content)}",
                measured.tools.get(part.tool_call_id),
                tool_name=part.tool_name,
                tool_call_id=part.tool_call_id,
                status=part.outcome,
            )
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
