"""Settings are read once, whole and loudly, from the environment.

Every setting `NAME` may also come from a file named in `NAME_FILE` (mounted secrets).
"""

import os
import sys
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import Field, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict


class FileSource(PydanticBaseSettingsSource):
    """Reads `NAME_FILE` for the setting that the environment calls `NAME`."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        path = os.environ.get(f"{environment_name(field, field_name)}_FILE")
        return (Path(path).read_text().strip() if path else None), field_name, False

    def __call__(self) -> dict[str, Any]:
        found = {
            environment_name(field, name): self.get_field_value(field, name)[0]
            for name, field in self.settings_cls.model_fields.items()
        }
        return {name: value for name, value in found.items() if value is not None}


def environment_name(field: FieldInfo, field_name: str) -> str:
    """The variable that sets the field."""
    return str(field.validation_alias or field_name).upper()


class ServiceSettings(BaseSettings):
    """What each of the five services is told. Variables start with `ROTA_`, a service's own with its name."""

    model_config = SettingsConfigDict(extra="ignore", populate_by_name=True, hide_input_in_errors=True)

    postgres_url: SecretStr = Field(
        validation_alias="ROTA_POSTGRES_URL", description="postgresql://role:password@host:port/database"
    )
    nats_url: str = Field(default="nats://127.0.0.1:4222", validation_alias="ROTA_NATS_URL")
    nats_nkey_seed: SecretStr | None = Field(
        default=None,
        validation_alias="ROTA_NATS_NKEY_SEED",
        description="the seed of the service's NATS user",
    )
    http_host: str = Field(default="127.0.0.1", validation_alias="ROTA_HTTP_HOST")
    http_port: int = Field(
        default=0, ge=0, le=65_535, validation_alias="ROTA_HTTP_PORT", description="0 takes a free port"
    )
    postgres_pool_size: int = Field(default=5, ge=1, le=100, validation_alias="ROTA_POSTGRES_POOL_SIZE")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", validation_alias="ROTA_LOG_LEVEL"
    )
    log_format: Literal["console", "json"] = Field(default="json", validation_alias="ROTA_LOG_FORMAT")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003  pydantic-settings passes it; no .env file is read
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003  FileSource stands in its place
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, FileSource(settings_cls)


Settings = TypeVar("Settings", bound=ServiceSettings)


def load(settings: type[Settings]) -> Settings:
    """The settings from the environment, or an exit that names every problem at once (status 2)."""
    try:
        return settings()
    except ValidationError as error:
        problems = "\n".join(
            f"  {'.'.join(str(part) for part in problem['loc'])}: {problem['msg']}"
            for problem in error.errors()
        )
        sys.stderr.write(f"the settings cannot be used:\n{problems}\n")
        sys.exit(2)
    except OSError as error:
        sys.stderr.write(f"a *_FILE setting cannot be read: {error}\n")
        sys.exit(2)
