"""A conversation that goes on from run to run."""

from collections.abc import Sequence

from pydantic_ai.messages import (
    ModelMessage,
    ModelMessagesTypeAdapter,
    ModelRequest,
    ModelResponse,
    TextPart,
    UserPromptPart,
)


def history(messages: str) -> list[ModelMessage]:
    """What `kept` made; ValueError for anything else."""
    return ModelMessagesTypeAdapter.validate_json(messages) if messages else []


def kept(messages: Sequence[ModelMessage], max_chars: int) -> str:
    """The JSON of the latest turns that have room in so many characters.

    A turn goes as a whole, with the calls that were made in it. Of a last one that alone is too long, its
    question and its answer stay, cut.
    """
    turns = _turns(messages)
    found: list[ModelMessage] = []
    left = max_chars
    for turn in reversed(turns):
        left -= len(_json(turn))
        if left < 0:
            break
        found = [*turn, *found]
    if not found and turns:
        found = _brief(turns[-1], max_chars)
    return _json(found) if found else ""


def _turns(messages: Sequence[ModelMessage]) -> list[list[ModelMessage]]:
    """Each begins with something that the model was asked."""
    turns: list[list[ModelMessage]] = []
    for message in messages:
        is_asked = isinstance(message, ModelRequest) and any(
            isinstance(part, UserPromptPart) for part in message.parts
        )
        if is_asked or not turns:
            turns.append([])
        turns[-1].append(message)
    return turns


def _brief(turn: Sequence[ModelMessage], max_chars: int) -> list[ModelMessage]:
    asked = [
        str(part.content) for message in turn for part in message.parts if isinstance(part, UserPromptPart)
    ]
    said = [
        part.content
        for message in turn
        if isinstance(message, ModelResponse)
        for part in message.parts
        if isinstance(part, TextPart) and part.content
    ]
    room = max_chars // 2
    while asked and said and room:
        brief: list[ModelMessage] = [
            ModelRequest(parts=[UserPromptPart(asked[0][:room])]),
            ModelResponse(parts=[TextPart(said[-1][:room])]),
        ]
        if len(_json(brief)) <= max_chars:
            return brief
        room //= 2
    return []


def _json(messages: Sequence[ModelMessage]) -> str:
    return ModelMessagesTypeAdapter.dump_json(list(messages)).decode()
