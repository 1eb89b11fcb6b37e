"""Which tools a model is offered."""

from typing import Any
from uuid import uuid4

import pytest

from rota_executor.agent import REPORT_OUTCOME, Agent, Limits, ToolLink

CLOCK = ToolLink(tool_name="clock")


def offered(**columns: Any) -> list[tuple[str, str | None]]:
    values: dict[str, Any] = {"model": "anthropic:claude", **columns}
    agent = Agent(id=uuid4(), name="a", system_prompt="", **values)
    return [(link.tool_name, link.policy) for link in agent.offered()]


def test_what_is_linked_and_the_report() -> None:
    assert offered(tools=[CLOCK]) == [("clock", None), (REPORT_OUTCOME, None)]


@pytest.mark.parametrize(
    "columns",
    [
        {"model": "local:smollm2"},
        {"fallback_models": ["local:smollm2"]},
        {"limits": Limits(request_limit=1)},
        {"limits": Limits(tool_calls_limit=0)},
        {"model_settings": {"tool_choice": "required"}},
        {"model_settings": {"tool_choice": "none"}},
        {"model_settings": {"tool_choice": ["clock"]}},
    ],
)
def test_no_report_where_the_model_cannot_or_must_not_call_it(columns: dict[str, Any]) -> None:
    assert offered(tools=[CLOCK], **columns) == [("clock", None)]


def test_no_report_where_it_is_denied() -> None:
    assert offered(tools=[CLOCK, ToolLink(tool_name=REPORT_OUTCOME, policy="deny")]) == [("clock", None)]


def test_the_report_where_it_is_linked_whatever_the_model() -> None:
    linked = ToolLink(tool_name=REPORT_OUTCOME, policy="auto")
    assert offered(tools=[linked], model="local:large") == [(REPORT_OUTCOME, "auto")]
