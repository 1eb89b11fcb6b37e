"""At most how many tokens a request may take: as many as bytes, or as the model itself has counted."""

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
from pydantic_ai.models import ModelRequestParameters
from pydantic_ai.tools import ToolDefinition
from pydantic_ai.usage import RequestUsage

from rota_executor.adapters import sizes

NOTHING = ModelRequestParameters()


def asked(text: str) -> ModelRequest:
    return ModelRequest(parts=[UserPromptPart(text)])


def test_a_token_is_at_least_a_byte() -> None:
    messages: list[ModelMessage] = [asked("ä" * 500)]
    assert sizes.input_tokens(messages, NOTHING, is_counted=False) >= 1000
    longer = [*messages, ModelResponse(parts=[TextPart("b" * 300)]), asked("c" * 200)]
    assert sizes.input_tokens(longer, NOTHING, is_counted=False) >= 1500


def test_everything_that_is_sent_counts() -> None:
    tool = ToolDefinition(name="look", description="d" * 400, parameters_json_schema={"x": "y" * 300})
    bare = sizes.input_tokens([asked("x")], NOTHING, is_counted=False)
    with_tool = ModelRequestParameters(function_tools=[tool])
    assert sizes.input_tokens([asked("x")], with_tool, is_counted=False) >= bare + 700
    told = ModelRequest(parts=[SystemPromptPart("s" * 100)], instructions="i" * 250)
    assert sizes.input_tokens([told], NOTHING, is_counted=False) >= 350
    called: list[ModelMessage] = [
        ModelResponse(parts=[ToolCallPart("look", {"at": "z" * 150})]),
        ModelRequest(parts=[ToolReturnPart("look", {"seen": "w" * 120}, tool_call_id="1")]),
    ]
    assert sizes.input_tokens(called, NOTHING, is_counted=False) >= 270


def test_what_the_model_has_counted_itself_is_taken_from_it() -> None:
    answer = ModelResponse(parts=[TextPart("b" * 40)], usage=RequestUsage(input_tokens=123, output_tokens=9))
    messages: list[ModelMessage] = [asked("a" * 9_000), answer, asked("c" * 60)]
    counted = sizes.input_tokens(messages, NOTHING, is_counted=True)
    assert 123 + 100 <= counted < 400
    assert sizes.input_tokens(messages, NOTHING, is_counted=False) > 9_000
    # An example that never was an answer has no count.
    messages[1] = ModelResponse(parts=[TextPart("b")])
    assert sizes.input_tokens(messages, NOTHING, is_counted=True) > 9_000


def test_thinking_needs_room_beside_the_answer() -> None:
    assert sizes.thinking_tokens({}) == 0
    assert sizes.thinking_tokens({"thinking": False}) == 0
    assert sizes.thinking_tokens({"thinking": "low"}) == sizes.MOST_THINKING
    settings = {"anthropic_thinking": {"type": "enabled", "budget_tokens": 2048}}
    assert sizes.thinking_tokens(settings) == 2048
