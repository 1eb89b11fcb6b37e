"""The servers of a test session."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Self

from rota_cli.local.nats import NatsServer
from rota_cli.local.postgres import PostgresServer
from tests.support.clocked import ClockedPostgres
from tests.support.databases import Databases

SERVICES = ("gateway", "ticker", "executor", "results", "notifier")
PASSWORD = "a-password-for-tests"
CREDENTIAL_KEY = "dGhpcnR5LXR3byBieXRlcyBvZiBhIHRlc3Qga2V5ISE="


class Servers:
    """Real NATS and PostgreSQL on ports of their own, and databases with the schema."""

    nats: NatsServer
    postgres: PostgresServer

    def __init__(
        self, directory: Path, *, durable: bool = False, containers: bool = False, clocked: bool = False
    ) -> None:
        """What a test writes need not survive a power cut; what is measured must (`durable`).

        From the wheels, or from the official images (`containers`). With `clocked`, a test moves the clock
        of PostgreSQL.
        """
        hasty = {"fsync": "off"}  # a commit still survives the death of the server, not that of the machine
        settings = {} if durable else hasty
        if containers:
            from tests.support.containers import NatsContainer, PostgresContainer

            self.nats = NatsContainer(directory / "nats")
            self.postgres = PostgresContainer(directory / "postgres", settings=settings)
        else:
            self.nats = NatsServer(directory / "nats")
            kind = ClockedPostgres if clocked else PostgresServer
            self.postgres = kind(directory / "postgres", settings=settings)
        self.databases = Databases(self.postgres)

    def __enter__(self) -> Self:
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda server: server.start(), (self.nats, self.postgres)))
        self.databases.prepare()
        for service in SERVICES:
            self.postgres.set_password(f"rota_{service}", PASSWORD)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.nats.stop()
        self.postgres.stop("immediate")

    def postgres_log(self) -> str:
        """What PostgreSQL has written so far."""
        if fetch := getattr(self.postgres, "fetch_log", None):  # from its container
            fetch()
        return self.postgres.log.read_text(encoding="utf-8", errors="replace")

    def environment(self, service: str, database: str) -> dict[str, str]:
        """The variables that a service is started with."""
        return {
            "ROTA_POSTGRES_URL": self.postgres.url(f"rota_{service}", PASSWORD, database),
            "ROTA_NATS_URL": self.nats.url,
            "ROTA_NATS_NKEY_SEED": self.nats.seed(service),
            "ROTA_HTTP_HOST": "127.0.0.1",
            "ROTA_HTTP_PORT": "0",
            "ROTA_LOG_FORMAT": "json",
            **({"ROTA_CREDENTIAL_KEYS": CREDENTIAL_KEY} if service in {"gateway", "executor"} else {}),
        }
