"""What people are told when a model fails, and what they are not."""

import pytest
from pydantic_ai.exceptions import ModelConnectionError, ModelHTTPError, UnexpectedModelBehavior

from rota_executor.adapters.failures import redacted, run_error


@pytest.mark.parametrize(
    "text",
    [
        "Incorrect API key provided: sk-proj-abc123DEF456",
        "Incorrect API key provided: sk-ab*****yz12",
        "header was Bearer abcdef.123456",
    ],
)
def test_a_key_is_never_shown(text: str) -> None:
    shown = redacted(text)
    assert "[redacted]" in shown
    assert not any(part in shown for part in ("abc", "yz12", "123456"))


def test_a_message_is_one_line_without_a_traceback() -> None:
    error = run_error(UnexpectedModelBehavior("broken\n  File x.py, line 3"), "local:tiny", None)
    assert str(error) == "The model 'local:tiny' gave no usable answer: broken File x.py, line 3."


def test_an_error_of_no_known_kind_shows_nothing_of_itself() -> None:
    error = run_error(KeyError("the prompt of a customer"), "local:tiny", None)
    assert (error.kind, "customer" in str(error)) == ("internal", False)


def test_a_model_that_cannot_be_reached_is_no_model_that_answered() -> None:
    unreachable = run_error(ModelConnectionError("tiny", "refused"), "ollama:tiny", None)
    answered = run_error(ModelHTTPError(503, "tiny", {"message": "busy"}), "ollama:tiny", None)
    assert (unreachable.kind, answered.kind) == ("model_unavailable", "model_error")
    assert "HTTP status 503: busy" in str(answered)
