"""`python -m rota_gateway` serves; `python -m rota_gateway bootstrap` seeds the database."""

import argparse
import sys

from rota_chassis import logs
from rota_chassis.lifecycle import main as serve
from rota_chassis.lifecycle import run_loop
from rota_chassis.settings import load
from rota_gateway.bootstrap.seed import bootstrap
from rota_gateway.service import wiring
from rota_gateway.settings import BootstrapSettings, GatewaySettings
from rota_store import Database, is_transient


def main() -> None:
    parser = argparse.ArgumentParser(prog="rota_gateway", description=__doc__)
    commands = parser.add_subparsers(dest="command")
    seed = commands.add_parser("bootstrap", help="the administrator, the first API key, the shipped agents")
    seed.add_argument("--demo", action="store_true", help="also a context with a job that runs every minute")
    arguments = parser.parse_args()
    if arguments.command == "bootstrap":
        run_bootstrap(with_demo=arguments.demo)
    else:
        serve("gateway", GatewaySettings, wiring)


def run_bootstrap(*, with_demo: bool) -> None:
    settings = load(BootstrapSettings)
    logs.configure("gateway", level=settings.log_level, style=settings.log_format)

    async def work() -> None:
        database = Database(settings.postgres_url.get_secret_value(), application="gateway", pool_size=1)
        try:
            await bootstrap(database, settings, with_demo=with_demo)
        finally:
            await database.close()

    try:
        run_loop(work())
    except Exception as error:
        if not is_transient(error):
            raise
        sys.exit(f"the database does not answer (ROTA_POSTGRES_URL): {error}")


if __name__ == "__main__":
    main()
