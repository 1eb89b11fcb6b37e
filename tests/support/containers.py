"""The servers of the tests from the official images (`pytest --containers`), by an engine on this machine.

Same names and same ways as the local servers: a container that is stopped or killed keeps its data and
starts again on the same port. testcontainers is imported only when it is used.
"""

import json
import signal
import weakref
from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from rota_cli.local import admin
from rota_cli.local.errors import LocalPartError
from rota_cli.local.nats import NatsServer
from rota_cli.local.postgres import PostgresServer
from rota_cli.local.server import LocalServer

if TYPE_CHECKING:
    from testcontainers.core.container import DockerContainer

NATS_IMAGE = "nats:2.15-alpine"
POSTGRES_IMAGE = "postgres:18-alpine"
_CONFIGURATION = "/etc/nats/rota.conf"
# Like the local cluster, whose sort order is that of the code points.
_INITDB = "--auth=scram-sha-256 --encoding=UTF8 --locale-provider=builtin --builtin-locale=C.UTF-8 --locale=C"


def why_not() -> str | None:
    """Why no container can be started here, None when one can."""
    from docker.errors import DockerException
    from testcontainers.core.docker_client import DockerClient

    try:
        DockerClient().client.ping()
    except DockerException as error:
        return f"--containers needs a Docker engine, and none answers here: {error}"
    return None


class _Contained(LocalServer):
    """Starts, stops and kills a container where its base would a process."""

    start_timeout: ClassVar[float] = 60
    _container: "DockerContainer | None" = None

    def start(self) -> None:
        if self.running:
            return
        self._make_data_dir()
        self._port.choose()
        if self._container:
            self._wrapped.start()
        else:
            self._container = self._made()
            weakref.finalize(self, self._container.stop)  # removes it, at the latest when Python ends
            self._container.start()
        self.wait_ready()

    @property
    def running(self) -> bool:
        if self._container is None:
            return False
        self._container.reload()
        return self._container.status == "running"

    def _end(self, sign: signal.Signals) -> None:
        if self.running:
            self._wrapped.kill(signal=sign.name)
            self._wrapped.wait(timeout=self.stop_timeout)

    @property
    def _wrapped(self) -> Any:  # Docker's own client has no types
        return self._container.get_wrapped_container() if self._container else None

    def fetch_log(self) -> None:
        """Writes into the log what the container has written so far."""
        if self._container:
            self.log.write_bytes(b"".join(self._container.get_logs()))

    def _failed(self, reason: str) -> LocalPartError:
        self.fetch_log()
        return super()._failed(reason)

    @abstractmethod
    def _made(self) -> "DockerContainer":
        """The container of this server, not started."""


class NatsContainer(_Contained, NatsServer):
    def _made(self) -> "DockerContainer":
        container = _container(NATS_IMAGE, {self.port: self.port})
        container.with_copy_into_container(self._configuration().encode(), _CONFIGURATION)
        return container.with_command(["nats-server", "--config", _CONFIGURATION])

    def _configuration(self) -> str:
        """That of the local server, but for where it listens and writes."""
        local = json.loads(super()._configuration())
        jetstream = local["jetstream"] | {"store_dir": "/tmp/jetstream"}
        return json.dumps(local | {"host": "0.0.0.0", "jetstream": jetstream})


class PostgresContainer(_Contained, PostgresServer):
    def __init__(self, data_dir: Path, *, settings: Mapping[str, str]) -> None:
        super().__init__(data_dir, settings=settings)
        # The image's own: it listens on every address, and prepares itself through a socket.
        kept = {
            name: value
            for name, value in self._settings.items()
            if name not in {"listen_addresses", "unix_socket_directories"}
        }
        self._arguments = [text for name, value in kept.items() for text in ("-c", f"{name}={value}")]

    def _made(self) -> "DockerContainer":
        container = _container(POSTGRES_IMAGE, {5432: self.port})
        container.with_envs(POSTGRES_PASSWORD=self.password, POSTGRES_INITDB_ARGS=_INITDB)
        return container.with_command(["postgres", *self._arguments])

    def _serves(self) -> bool:
        """Nobody is let in over TCP before the image has prepared the cluster."""
        return admin.answers(self.admin_url())


def _container(image: str, ports: Mapping[int, int]) -> "DockerContainer":
    """With ports of the container at ports of the loopback interface."""
    from testcontainers.core.container import DockerContainer

    container = DockerContainer(image)
    for inside, outside in ports.items():
        # Docker's own form for one address; testcontainers declares a number only.
        container.ports[f"{inside}/tcp"] = ("127.0.0.1", outside)  # type: ignore[assignment]
    return container
