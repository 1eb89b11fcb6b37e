"""What the executor is told; the only place that reads its environment."""

from typing import Annotated

from pydantic import Field, Json, SecretStr, field_validator
from pydantic_settings import NoDecode

from rota_chassis.settings import ServiceSettings
from rota_vault import keys_of


class ExecutorSettings(ServiceSettings):
    slots: int = Field(
        default=100, ge=1, le=10_000, validation_alias="EXECUTOR_SLOTS", description="runs at once"
    )
    lease_seconds: float = Field(
        default=20,
        ge=1,
        le=3600,
        validation_alias="EXECUTOR_LEASE_SECONDS",
        description="after this long without a sign of life another executor may take the run",
    )
    notice_seconds: float = Field(
        default=2.5,
        ge=0.5,
        le=3600,
        validation_alias="EXECUTOR_NOTICE_SECONDS",
        description="the same, when NATS has lost the executor as well",
    )
    grace_seconds: float = Field(
        default=30,
        ge=0,
        le=3600,
        validation_alias="EXECUTOR_GRACE_SECONDS",
        description="how long runs may go on after SIGTERM before they are handed over",
    )
    max_losses: int = Field(
        default=3,
        ge=1,
        validation_alias="EXECUTOR_MAX_LOSSES",
        description="a run whose executors vanished this often is not tried again",
    )
    tool_timeout_seconds: float = Field(
        default=60,
        gt=0,
        validation_alias="EXECUTOR_TOOL_TIMEOUT_SECONDS",
        description="how long one call of a tool may take",
    )
    sweep_seconds: float = Field(
        default=5,
        gt=0,
        validation_alias="EXECUTOR_SWEEP_SECONDS",
        description="how often, and from what age on, unpublished outcomes are published again",
    )
    retention_days: int = Field(
        default=90,
        ge=7,
        le=3650,
        validation_alias="EXECUTOR_RETENTION_DAYS",
        description="how long attempts with their transcripts are kept after their end",
    )
    local_model_url: str | None = Field(
        default=None,
        validation_alias="EXECUTOR_LOCAL_MODEL_URL",
        description="the OpenAI-compatible server behind models named local:…, ending in /v1",
    )
    local_model_key: SecretStr | None = Field(default=None, validation_alias="EXECUTOR_LOCAL_MODEL_KEY")
    openai_base_url: str | None = Field(
        default=None,
        validation_alias="OPENAI_BASE_URL",
        description="a compatible server; models named openai:… then use its chat interface",
    )
    service_urls: str = Field(
        default="",
        validation_alias="EXECUTOR_SERVICE_URLS",
        description="what the tool rota_health looks at: gateway=http://host:port,ticker=…",
    )
    plugins: str = Field(
        default="",
        validation_alias="EXECUTOR_PLUGINS",
        description="modules whose register(registry) adds models and tools, separated by commas",
    )

    mcp_commands: Annotated[Json[dict[str, list[str]]], NoDecode] = Field(
        default="{}",  # type: ignore[arg-type]  # settings look at defaults as at what they are given
        validation_alias="EXECUTOR_MCP_COMMANDS",
        description='MCP servers that contexts may have started: {"files": ["mcp-files", "/srv"]}',
    )
    credential_keys: SecretStr | None = Field(
        default=None,
        validation_alias="ROTA_CREDENTIAL_KEYS",
        description="what credentials are opened with: those of the gateway",
    )
    gmail_url: str = Field(
        default="https://gmail.googleapis.com",
        validation_alias="EXECUTOR_GMAIL_URL",
        description="where the Gmail tools ask",
    )
    google_token_url: str = Field(
        default="https://oauth2.googleapis.com/token",
        validation_alias="EXECUTOR_GOOGLE_TOKEN_URL",
        description="where they get an access token for the refresh token of a credential",
    )

    otlp_endpoint: str | None = Field(
        default=None,
        validation_alias="OTEL_EXPORTER_OTLP_ENDPOINT",
        description="where an OpenTelemetry collector takes spans over HTTP; none are made without",
    )
    otlp_headers: SecretStr | None = Field(
        default=None,
        validation_alias="OTEL_EXPORTER_OTLP_HEADERS",
        description="what is sent along, as name=value with commas between",
    )
    trace_content: bool = Field(
        default=False,
        validation_alias="EXECUTOR_TRACE_CONTENT",
        description="whether spans hold what was asked and said",
    )

    @field_validator("credential_keys")
    @classmethod
    def _keys(cls, value: SecretStr | None) -> SecretStr | None:
        if value is None or not keys_of(value.get_secret_value()):
            return None
        return value

    @field_validator("service_urls")
    @classmethod
    def _pairs(cls, value: str) -> str:
        _service_urls(value)
        return value

    def services(self) -> dict[str, str]:
        """The base URL of each service that rota_health looks at."""
        return _service_urls(self.service_urls)

    def plugin_modules(self) -> list[str]:
        return [name.strip() for name in self.plugins.split(",") if name.strip()]


def _service_urls(value: str) -> dict[str, str]:
    pairs = [pair.strip() for pair in value.split(",") if pair.strip()]
    urls = {}
    for pair in pairs:
        name, separator, url = pair.partition("=")
        if not separator or not url.startswith(("http://", "https://")):
            raise ValueError(f"{pair!r} is not of the form name=http://host:port")
        urls[name.strip()] = url.strip().rstrip("/")
    return urls
