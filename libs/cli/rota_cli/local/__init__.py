"""Rota's servers as child processes: for `rota up`, and for every test that wants the real thing."""

from rota_cli.local.errors import LocalPartError
from rota_cli.local.model import LocalModel
from rota_cli.local.nats import NatsServer
from rota_cli.local.postgres import PostgresServer

__all__ = ["LocalModel", "LocalPartError", "NatsServer", "PostgresServer"]
