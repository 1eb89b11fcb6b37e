"""A call that an agent's settings demand is demanded once, and of schemas only what a grammar can hold."""

import pytest
from pydantic_ai.messages import (
    ModelMessage,
    ModelRequest,
    ModelResponse,
    TextPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)

from rota_executor.adapters.grammar import WithoutLongTexts
from rota_executor.adapters.session import has_called

ASKED = ModelRequest(parts=[UserPromptPart("Look.")])
CALLED = ModelResponse(parts=[ToolCallPart("clock", {}, "1")])
ANSWERED = ModelRequest(parts=[ToolReturnPart("clock", "noon", "1")])
SAID = ModelResponse(parts=[TextPart("It is noon.")])


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        ([], False),
        ([ASKED], False),
        ([ASKED, CALLED, ANSWERED], True),
        # What was called in the conversation before counts for that one.
        ([ASKED, CALLED, ANSWERED, SAID, ASKED], False),
        ([ASKED, CALLED, ANSWERED, SAID, ASKED, CALLED, ANSWERED], True),
    ],
)
def test_a_demand_is_met_when_a_tool_has_answered_since_the_prompt(
    messages: list[ModelMessage], expected: bool
) -> None:
    assert has_called(messages) is expected


def test_only_bounds_that_a_grammar_takes_are_sent() -> None:
    schema = {
        "type": "object",
        "properties": {
            "title": {"type": "string", "minLength": 1, "maxLength": 200},
            "text": {"type": "string", "maxLength": 4000},
            "all": {"type": "array", "items": {"type": "string", "maxLength": 5000}, "maxItems": 3},
        },
    }
    assert WithoutLongTexts(schema).walk() == {
        "type": "object",
        "properties": {
            "title": {"type": "string", "minLength": 1, "maxLength": 200},
            "text": {"type": "string"},
            "all": {"type": "array", "items": {"type": "string"}, "maxItems": 3},
        },
    }
