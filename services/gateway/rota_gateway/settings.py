"""What the gateway and its bootstrap are told by the environment."""

from typing import Annotated, Any

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import NoDecode

from rota_chassis.settings import ServiceSettings
from rota_vault import keys_of


class GatewaySettings(ServiceSettings):
    public_url: str | None = Field(
        default=None,
        pattern=r"^https?://[^/\s]+$",
        validation_alias="GATEWAY_PUBLIC_URL",
        description="where browsers reach the gateway, when that is not the address that they ask for",
    )
    service_urls: Annotated[dict[str, str], NoDecode] = Field(
        default_factory=dict,
        validation_alias="GATEWAY_SERVICE_URLS",
        description="ticker=http://host:port,executor=…: the gateway is ready when these are",
    )
    session_days: int = Field(
        default=30, ge=1, le=365, validation_alias="GATEWAY_SESSION_DAYS", description="life of a sign-in"
    )
    sign_in_attempts: int = Field(
        default=10,
        ge=1,
        le=1000,
        validation_alias="GATEWAY_SIGN_IN_ATTEMPTS",
        description="failed sign-ins that one address may make in five minutes",
    )

    audit_interval_seconds: float = Field(
        default=3600,
        ge=1,
        le=86_400,
        validation_alias="GATEWAY_AUDIT_INTERVAL_SECONDS",
        description="how often the ledger is compared with the definitions",
    )

    retention_days: int = Field(
        default=90,
        ge=7,
        le=3650,
        validation_alias="GATEWAY_RETENTION_DAYS",
        description="how long requested runs, cancellations and audits of the ledger are kept",
    )

    credential_keys: SecretStr | None = Field(
        default=None,
        validation_alias="ROTA_CREDENTIAL_KEYS",
        description="what credentials are sealed with, the first of them, and opened",
    )

    @field_validator("credential_keys")
    @classmethod
    def _keys(cls, value: SecretStr | None) -> SecretStr | None:
        if value is None or not keys_of(value.get_secret_value()):
            return None
        return value

    @field_validator("public_url", mode="before")
    @classmethod
    def _without_slash(cls, value: Any) -> Any:
        return value.rstrip("/") if isinstance(value, str) else value

    @field_validator("service_urls", mode="before")
    @classmethod
    def _pairs(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        pairs = [pair.partition("=") for pair in value.split(",") if pair.strip()]
        if any(not name or not url.startswith(("http://", "https://")) for name, _, url in pairs):
            raise ValueError("expected name=http://host:port pairs, separated by commas")
        return {name.strip(): url.strip().rstrip("/") for name, _, url in pairs}


class BootstrapSettings(GatewaySettings):
    """The keys of the providers are only looked at for their presence: it picks the default model."""

    api_key: SecretStr = Field(
        min_length=20,
        validation_alias="GATEWAY_BOOTSTRAP_API_KEY",
        description="the first API key; must begin with rota_",
    )
    model: str | None = Field(
        default=None,
        validation_alias="GATEWAY_MODEL",
        description="the model of the agents that ship with Rota",
    )
    anthropic_api_key: SecretStr | None = Field(default=None, validation_alias="ANTHROPIC_API_KEY")
    openai_api_key: SecretStr | None = Field(default=None, validation_alias="OPENAI_API_KEY")
    openai_base_url: str | None = Field(default=None, validation_alias="OPENAI_BASE_URL")
    ollama_base_url: str | None = Field(default=None, validation_alias="OLLAMA_BASE_URL")

    @field_validator("api_key")
    @classmethod
    def _has_prefix(cls, value: SecretStr) -> SecretStr:
        if not value.get_secret_value().startswith("rota_"):
            raise ValueError("must begin with rota_")
        return value
