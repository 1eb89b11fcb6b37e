"""The system on this machine: what is started after what, and ended before what."""

import json
import secrets
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from urllib.parse import urlsplit

import psutil

from rota_cli.client.api import Api
from rota_cli.errors import CliError
from rota_cli.local.errors import LocalPartError
from rota_cli.local.model import LocalModel
from rota_cli.local.nats import NatsServer
from rota_cli.local.port import KeptPort
from rota_cli.local.postgres import PostgresServer
from rota_cli.local.secret import kept_secret, new_credential_key, write_private
from rota_cli.local.server import LocalServer
from rota_cli.up.console import Console
from rota_cli.up.datadir import DataDir
from rota_cli.up.keeper import Keeper
from rota_cli.up.options import DEFAULT_PORT, Options
from rota_cli.up.program import Program
from rota_cli.up.services import (
    DEFAULT_STOP_SECONDS,
    SERVICES,
    Instance,
    Surroundings,
    inherited_environment,
    instances,
)

_DATABASE = "rota"
_USUAL_NATS_PORT = 4222
_USUAL_POSTGRES_PORT = 5432
_PORTS_TRIED = 100
_READY_SECONDS = 120
_POLL_SECONDS = 0.1
_SAY_AGAIN_SECONDS = 5
_DEATHS_BEFORE_GIVING_UP = 3
_STARTS_RUNS = ("ticker", "executor")
# What feeds the path ends first, so that what still comes out of it is stored and told.
_STOP_WAVES = (("gateway", "ticker", "executor"), ("results", "notifier"))


class System:
    def __init__(self, options: Options, directory: DataDir, console: Console) -> None:
        self._options = options
        self._directory = directory
        self._console = console
        self._say = console.say
        self.nats = NatsServer(directory.nats, port=_USUAL_NATS_PORT, say=self._say)
        self.postgres = PostgresServer(directory.postgres, port=_USUAL_POSTGRES_PORT, say=self._say)
        self.model = LocalModel(directory.model, say=self._say) if options.model == "local" else None
        self._servers: list[Keeper] = []
        self._services: dict[Instance, Keeper] = {}
        self._ports: list[KeptPort] = []  # claimed as long as the system runs
        self.url = ""
        self.api_key = ""

    def start(self) -> None:
        """Start everything and wait until the whole path is ready."""
        port = self._gateway_port()
        self.url = f"http://127.0.0.1:{port}"
        self._start_servers()
        surroundings = self._surroundings(port)
        everything = [(i, self._service(i, surroundings)) for i in instances(self._options.scale)]
        # Runs may be due at once, and look at the others: so who starts them comes last.
        self._start_services((i, p) for i, p in everything if i.service not in _STARTS_RUNS)
        self._bootstrap(surroundings)
        self._start_services((i, p) for i, p in everything if i.service in _STARTS_RUNS)
        self._wait_until_ready()
        self._directory.url_file.write_text(f"{self.url}\n")

    def stop(self) -> None:
        """End everything in order: what feeds the path first, the servers last."""
        self._directory.url_file.unlink(missing_ok=True)
        for keeper in self._keepers():
            keeper.release()
        for wave in _STOP_WAVES:
            _together(
                [keeper.stop for instance, keeper in self._services.items() if instance.service in wave]
            )
        for server in (self.model, self.nats, self.postgres):
            if server:
                server.stop()
        _together([keeper.stop for keeper in self._servers])

    def kill(self) -> None:
        """End everything at once."""
        for keeper in self._keepers():
            keeper.release()
            keeper.part.kill()
        for server in (self.model, self.nats, self.postgres):
            if server:
                server.kill()

    def _keepers(self) -> list[Keeper]:
        return [*self._services.values(), *self._servers]

    def _gateway_port(self) -> int:
        kept = self._directory.port("gateway", preferred=DEFAULT_PORT)
        self._ports.append(kept)
        wanted = self._options.port
        if wanted is None:
            return _port_near(kept, self._say)
        if not kept.take(wanted):
            raise CliError(
                f"port {wanted} is taken by another process",
                remedy="choose another one with --port, or leave --port out to get a free one",
            )
        return wanted

    def _port(self, instance: Instance) -> int:
        kept = self._directory.port(instance.name)
        self._ports.append(kept)
        return kept.choose()

    def _start_servers(self) -> None:
        servers = [server for server in (self.nats, self.postgres, self.model) if server]
        self._say(f"starting {', '.join(server.name for server in servers)} ...")
        _together([partial(self._start_server, server) for server in servers])

    def _start_server(self, server: LocalServer) -> None:
        server.start()
        self._say(f"{server.name} serves on port {server.port}")
        keeper = Keeper(server, self._say)
        self._servers.append(keeper)
        keeper.watch()
        if server is self.postgres:
            self._migrate()

    def _migrate(self) -> None:
        self._say("bringing the database up to date ...")
        self.postgres.create_database(_DATABASE)
        environment = {**inherited_environment(), "ROTA_POSTGRES_URL": self.postgres.admin_url(_DATABASE)}
        Program(
            "migrations",
            ["rota_migrations", "upgrade"],
            environment,
            self._console,
            stop_timeout=DEFAULT_STOP_SECONDS,
        ).run(remedy=f"read {self._directory.shown}/logs/migrations.log; the data is as it was before")
        self.postgres.set_passwords({_role(name): self._password(name) for name in SERVICES})

    def _password(self, service: str) -> str:
        return kept_secret(self._directory.role_password_file(_role(service)))

    def _surroundings(self, gateway_port: int) -> Surroundings:
        postgres = self.postgres
        return Surroundings(
            postgres_urls={s: postgres.url(_role(s), self._password(s), _DATABASE) for s in SERVICES},
            nats_url=self.nats.url,
            seeds={service: self.nats.seed(service) for service in SERVICES},
            http_ports={
                instance.name: gateway_port if instance == Instance("gateway", 1) else self._port(instance)
                for instance in instances(self._options.scale)
            },
            model_url=self.model.url if self.model else None,
            model_key=self.model.api_key if self.model else None,
            credential_keys=kept_secret(self._directory.credential_keys_file, new_credential_key),
            inherited=inherited_environment(),
        )

    def _service(self, instance: Instance, surroundings: Surroundings) -> Program:
        environment = surroundings.environment(instance)
        return Program(
            instance.name,
            [f"rota_{instance.service}"],
            environment,
            self._console,
            stop_timeout=instance.stop_seconds(environment),
        )

    def _start_services(self, programs: Iterable[tuple[Instance, Program]]) -> None:
        for instance, program in programs:
            self._say(f"starting {program.name} ...")
            keeper = Keeper(program, self._say)
            self._services[instance] = keeper
            keeper.start()

    def _bootstrap(self, surroundings: Surroundings) -> None:
        """The first key, and the demo. The key is written down only when it works."""
        file = self._directory.api_key_file
        kept = file.read_text().strip() if file.exists() else ""
        self.api_key = kept or f"rota_{secrets.token_urlsafe(32)}"
        Program(
            "bootstrap",
            ["rota_gateway", "bootstrap", *(["--demo"] if self._options.demo else [])],
            surroundings.bootstrap_environment(self.api_key),
            self._console,
            stop_timeout=DEFAULT_STOP_SECONDS,
        ).run(remedy=f"read {self._directory.shown}/logs/bootstrap.log and start again")
        if not kept:
            write_private(file, f"{self.api_key}\n")

    def _wait_until_ready(self) -> None:
        self._say("waiting for the services to be ready ...")
        deadline = time.monotonic() + _READY_SECONDS
        say_at = time.monotonic() + _SAY_AGAIN_SECONDS
        with Api(self.url, None) as api:
            while missing := api.ready() or self._answered_by_a_stranger():
                self._give_up_on_the_dying()
                now = time.monotonic()
                if now > deadline:
                    raise LocalPartError(
                        "gateway",
                        f"not ready after {_READY_SECONDS} s: {_in_words(missing)}",
                        remedy=f"read {self._directory.shown}/logs and start again",
                    )
                if now > say_at:
                    self._say(f"still waiting: {_in_words(missing)}")
                    say_at = now + _SAY_AGAIN_SECONDS
                time.sleep(_POLL_SECONDS)

    def _answered_by_a_stranger(self) -> str:
        """Empty when it is our own gateway that listens at the address."""
        gateway = self._services[Instance("gateway", 1)].part
        port = urlsplit(self.url).port
        if isinstance(gateway, Program) and port in _listening_ports(gateway.pid):
            return ""
        return f"another process answers on port {port}"

    def _give_up_on_the_dying(self) -> None:
        for keeper in self._services.values():
            if keeper.deaths >= _DEATHS_BEFORE_GIVING_UP and isinstance(keeper.part, Program):
                raise LocalPartError(
                    keeper.part.name,
                    f"it died {keeper.deaths} times before it was ready",
                    remedy=f"read {self._directory.shown}/logs/{keeper.part.name}.log and start again",
                    log_tail=keeper.part.log_tail,
                )


def _role(service: str) -> str:
    return f"rota_{service}"


def _port_near(kept: KeptPort, say: Callable[[str], None]) -> int:
    """The port of last time or the usual one; when it is taken, the next free one."""
    wanted = kept.wanted
    port = next((p for p in range(wanted, wanted + _PORTS_TRIED) if kept.take(p)), None)
    if port is None:
        return kept.choose()
    if port != wanted:
        say(f"port {wanted} is taken, the gateway takes {port}")
    return port


def _listening_ports(pid: int | None) -> set[int]:
    try:
        connections = psutil.Process(pid).net_connections("tcp") if pid else []
    except psutil.NoSuchProcess:
        return set()
    return {one.laddr.port for one in connections if one.status == psutil.CONN_LISTEN}


def _together(actions: Iterable[Callable[[], object]]) -> None:
    """Do all at the same time; the first failure is raised when all have ended."""
    work = list(actions)
    if not work:
        return
    with ThreadPoolExecutor(max_workers=len(work)) as pool:
        futures = [pool.submit(action) for action in work]
    for future in futures:
        future.result()


def _in_words(missing: str) -> str:
    """The problems that /readyz lists, or its plain text."""
    try:
        problems = json.loads(missing)["problems"]
        return "; ".join(f"{name}: {reason}" for name, reason in problems.items())
    except (ValueError, KeyError, TypeError, AttributeError):
        return missing
