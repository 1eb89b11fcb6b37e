"""What the gateway lets people save is what the executor understands when it loads the agent."""

import json
from uuid import uuid4

import msgspec
from pydantic_ai.settings import ModelSettings as KnownSettings

from rota_executor.agent import Agent, Example, Limits, ToolLink, parse
from rota_gateway.api import agent_fields
from rota_gateway.api.agent_fields import AgentInput, ModelSettings
from rota_gateway.bootstrap.agents import shipped_agents
from tests.support.toolkit import built_in


def fields(struct: type[msgspec.Struct]) -> set[str]:
    return {field.name for field in msgspec.structs.fields(struct)}


def test_the_executor_reads_every_field_that_can_be_saved() -> None:
    # Of people, of the gateway, of the ticker, of results.
    theirs = {"description", "context_id", "max_concurrent_runs"}
    theirs |= {"approval_expiry_seconds", "approval_expiry_action"}
    assert fields(Agent) == (set(AgentInput.model_fields) - theirs) | {"id", "revision"}
    assert fields(Limits) == set(agent_fields.Limits.model_fields)
    assert fields(Example) == set(agent_fields.Example.model_fields)
    assert fields(ToolLink) == set(agent_fields.ToolLink.model_fields)


def test_the_defaults_are_the_same_on_both_sides() -> None:
    saved = AgentInput(name="a", model="ollama:qwen3").model_dump(exclude={"description", "context_id"})
    loaded = parse(json.dumps({**saved, "id": str(uuid4())}))
    assert loaded == Agent(id=loaded.id, name="a", model="ollama:qwen3", system_prompt="")
    assert Limits().request_limit == agent_fields.Limits().request_limit
    assert Limits().repeated_calls_limit == agent_fields.Limits().repeated_calls_limit


def test_the_agents_that_ship_are_linked_with_tools_that_exist_and_only_read() -> None:
    registry = built_in()
    effects = {tool.name: tool.description.effect for tool in registry.tools()}
    shipped = shipped_agents("anthropic:x", with_demo=True)
    assert {effects.get(link["tool_name"]) for agent in shipped for link in agent["tools"]} == {"read"}


def test_every_setting_that_is_offered_is_one_that_the_runtime_knows() -> None:
    assert set(ModelSettings.model_fields) - set(KnownSettings.__annotations__) == set()
