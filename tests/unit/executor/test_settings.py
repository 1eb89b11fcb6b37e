"""The settings of the executor."""

import pytest
from pydantic import ValidationError

from rota_executor.settings import ExecutorSettings

URL = {"ROTA_POSTGRES_URL": "postgresql://rota_executor@localhost/rota"}


def test_services_and_plugins_are_lists_in_one_variable() -> None:
    settings = ExecutorSettings.model_validate(
        URL
        | {
            "EXECUTOR_SERVICE_URLS": "gateway=http://127.0.0.1:8080/, ticker=http://127.0.0.1:8081",
            "EXECUTOR_PLUGINS": "one.module, two",
        }
    )
    assert settings.services() == {"gateway": "http://127.0.0.1:8080", "ticker": "http://127.0.0.1:8081"}
    assert settings.plugin_modules() == ["one.module", "two"]


def test_a_service_without_an_address_is_refused_at_start() -> None:
    with pytest.raises(ValidationError, match="'ticker' is not of the form name=http://host:port"):
        ExecutorSettings.model_validate(URL | {"EXECUTOR_SERVICE_URLS": "ticker"})


def test_a_key_is_not_shown_with_the_settings() -> None:
    settings = ExecutorSettings.model_validate(URL | {"EXECUTOR_LOCAL_MODEL_KEY": "very-secret"})
    assert "very-secret" not in repr(settings)
