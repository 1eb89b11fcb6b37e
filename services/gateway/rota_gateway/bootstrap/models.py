"""Which model the agents that ship with Rota run on."""

from rota_gateway.settings import BootstrapSettings

ANTHROPIC_DEFAULT = "anthropic:claude-sonnet-5-5"
# What a server of one model takes for a name.
COMPATIBLE_DEFAULT = "openai-chat:default"
OPENAI_DEFAULT = "openai:gpt-6-luna"
OLLAMA_DEFAULT = "ollama:qwen3"
LOCAL = "local:smollm2"
PROVIDERS = frozenset({"anthropic", "openai", "openai-chat", "openai-responses", "ollama", "local", "google"})


def default_model(settings: BootstrapSettings) -> str:
    """The model that the settings name, else the best that a key opens, else the embedded one."""
    named = settings.model
    if named:
        is_bare = named.partition(":")[0] not in PROVIDERS
        return f"openai-chat:{named}" if is_bare and settings.openai_base_url else named
    choices = (
        (settings.anthropic_api_key, ANTHROPIC_DEFAULT),
        (settings.openai_base_url, COMPATIBLE_DEFAULT),
        (settings.openai_api_key, OPENAI_DEFAULT),
        (settings.ollama_base_url, OLLAMA_DEFAULT),
    )
    return next((model for is_there, model in choices if is_there), LOCAL)


def is_embedded(model: str) -> bool:
    """The embedded model has too few parameters to choose tools or to summarise."""
    return model.startswith("local:")
