"""Which providers of models an agent may name here: those whose client library is installed."""

from importlib.util import find_spec

# By the module that the agent runtime needs for them.
BY_MODULE = {
    "anthropic": ("anthropic",),
    "openai": (
        "openai",
        "openai-chat",
        "openai-responses",
        "alibaba",
        "azure",
        "azure-responses",
        "cerebras",
        "crusoe",
        "deepseek",
        "fireworks",
        "github",
        "heroku",
        "litellm",
        "meta",
        "moonshotai",
        "nebius",
        "ollama",
        "openrouter",
        "ovhcloud",
        "sambanova",
        "snowflake",
        "together",
        "vercel",
        "vllm",
        "zai",
    ),
    "boto3": ("bedrock",),
    "cohere": ("cohere",),
    "google.genai": ("google", "google-cloud"),
    "groq": ("groq",),
    "huggingface_hub": ("huggingface",),
    "mistralai": ("mistral",),
    "xai_sdk": ("xai",),
}
# The server of one's own, and the agent runtime's relay to other providers.
ALWAYS = ("local", "gateway")


def installed() -> list[str]:
    """Their names, without importing any of the libraries."""
    return [*ALWAYS, *(name for module, names in BY_MODULE.items() if _is_there(module) for name in names)]


def _is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # the package around it
        return False
