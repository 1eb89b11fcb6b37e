"""Which model the shipped agents run on."""

import pytest

from rota_gateway.bootstrap.agents import shipped_agents
from rota_gateway.bootstrap.models import default_model
from rota_gateway.settings import BootstrapSettings


@pytest.mark.parametrize(
    ("environment", "model"),
    [
        ({}, "local:smollm2"),
        ({"OLLAMA_BASE_URL": "http://x"}, "ollama:qwen3"),
        ({"OPENAI_API_KEY": "k"}, "openai:gpt-6-luna"),
        ({"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": "http://x"}, "openai-chat:default"),
        ({"OPENAI_BASE_URL": "http://x", "GATEWAY_MODEL": "qwen3:8b"}, "openai-chat:qwen3:8b"),
        ({"OPENAI_BASE_URL": "http://x", "GATEWAY_MODEL": "ollama:qwen3"}, "ollama:qwen3"),
        ({"OPENAI_API_KEY": "k", "ANTHROPIC_API_KEY": "k"}, "anthropic:claude-sonnet-5-5"),
        ({"ANTHROPIC_API_KEY": "k", "GATEWAY_MODEL": "openai:gpt-9"}, "openai:gpt-9"),
    ],
)
def test_the_best_that_the_environment_opens_is_the_default(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], model: str
) -> None:
    for name in (
        "OLLAMA_BASE_URL",
        "OPENAI_API_KEY",
        "OPENAI_BASE_URL",
        "ANTHROPIC_API_KEY",
        "GATEWAY_MODEL",
    ):
        monkeypatch.delenv(name, raising=False)
    needed = {"ROTA_POSTGRES_URL": "postgresql://x/y", "GATEWAY_BOOTSTRAP_API_KEY": "rota_" + "x" * 30}
    for name, value in {**needed, **environment}.items():
        monkeypatch.setenv(name, value)
    assert default_model(BootstrapSettings()) == model


def test_only_a_hosted_model_chooses_tools_itself() -> None:
    for model, mode, style in (
        ("local:smollm2", "prefetch", "per_fact"),
        ("ollama:qwen3", "model", "conversation"),
    ):
        for agent in shipped_agents(model, with_demo=True):
            assert {link["mode"] for link in agent["tools"]} == {mode}
            assert agent["style"] == style


def test_a_bare_key_is_refused_as_a_bootstrap_key() -> None:
    with pytest.raises(ValueError, match="rota_"):
        BootstrapSettings.model_validate({"ROTA_POSTGRES_URL": "x", "GATEWAY_BOOTSTRAP_API_KEY": "x" * 40})
