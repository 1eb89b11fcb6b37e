"""The five services: which processes, and what each is told."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field

SERVICES = ("gateway", "ticker", "executor", "results", "notifier")
DEFAULT_STOP_SECONDS = 15.0
_EXECUTOR_GRACE_SECONDS = 30.0  # the executor's own default


@dataclass(frozen=True)
class Instance:
    """One process of a service."""

    service: str
    number: int

    @property
    def name(self) -> str:
        return self.service if self.number == 1 else f"{self.service}-{self.number}"

    def stop_seconds(self, environment: Mapping[str, str]) -> float:
        """How long it may take to end: the executor first finishes what runs."""
        if self.service != "executor":
            return DEFAULT_STOP_SECONDS
        grace = environment.get("EXECUTOR_GRACE_SECONDS", "")
        known = float(grace) if grace.replace(".", "", 1).isdecimal() else _EXECUTOR_GRACE_SECONDS
        return known + DEFAULT_STOP_SECONDS


def instances(scale: Mapping[str, int]) -> list[Instance]:
    return [
        Instance(service, number) for service in SERVICES for number in range(1, scale.get(service, 1) + 1)
    ]


@dataclass(frozen=True)
class Surroundings:
    """What all services are told about the servers around them."""

    postgres_urls: Mapping[str, str]
    nats_url: str
    seeds: Mapping[str, str]
    http_ports: Mapping[str, int]
    model_url: str | None = None
    model_key: str | None = None
    credential_keys: str | None = None
    inherited: Mapping[str, str] = field(default_factory=dict)

    def environment(self, instance: Instance) -> dict[str, str]:
        own = {
            "ROTA_POSTGRES_URL": self.postgres_urls[instance.service],
            "ROTA_NATS_URL": self.nats_url,
            "ROTA_NATS_NKEY_SEED": self.seeds[instance.service],
            "ROTA_HTTP_HOST": "127.0.0.1",
            "ROTA_HTTP_PORT": str(self.http_ports[instance.name]),
            "ROTA_LOG_FORMAT": "console",
            "ROTA_LOG_LEVEL": "info",
        }
        return {**self.inherited, **own, **self._special(instance.service)}

    def bootstrap_environment(self, api_key: str) -> dict[str, str]:
        """The gateway's, with the first key to accept and the models to choose from."""
        gateway = self.environment(Instance("gateway", 1))
        return {**gateway, **self._model_environment(), "GATEWAY_BOOTSTRAP_API_KEY": api_key}

    def _special(self, service: str) -> dict[str, str]:
        urls = {name: f"http://127.0.0.1:{port}" for name, port in self.http_ports.items()}
        keys = {"ROTA_CREDENTIAL_KEYS": self.credential_keys} if self.credential_keys else {}
        if service == "gateway":  # it is ready when the others are
            others = {name: url for name, url in urls.items() if not name.startswith("gateway")}
            return {"GATEWAY_SERVICE_URLS": _pairs(others), **keys}
        if service == "executor":
            return {**self._model_environment(), "EXECUTOR_SERVICE_URLS": _pairs(urls), **keys}
        return {}

    def _model_environment(self) -> dict[str, str]:
        if self.model_url is None or self.model_key is None:
            return {}
        return {"EXECUTOR_LOCAL_MODEL_URL": self.model_url, "EXECUTOR_LOCAL_MODEL_KEY": self.model_key}


def _pairs(urls: Mapping[str, str]) -> str:
    return ",".join(f"{name}={url}" for name, url in urls.items())


def inherited_environment() -> dict[str, str]:
    """The caller's, without what `rota up` decides itself."""
    return {name: value for name, value in os.environ.items() if not name.startswith("ROTA_")}
