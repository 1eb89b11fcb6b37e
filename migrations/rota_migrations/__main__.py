"""`python -m rota_migrations upgrade` brings the database in ROTA_POSTGRES_URL to the newest revision.

The role of that URL owns the tables and must be allowed to create roles.
"""

import argparse
import os
import sys
from pathlib import Path

from alembic import command
from alembic.config import Config


def configuration(url: str) -> Config:
    """Alembic's configuration for one database, e.g. postgresql://owner:password@host/rota."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.set_main_option("version_path_separator", "os")
    config.attributes["url"] = url
    return config


def main() -> None:
    parser = argparse.ArgumentParser(prog="rota_migrations")
    parser.add_argument(
        "command",
        choices=["upgrade", "check", "revision"],
        help="check fails when the tables in rota_store and the database differ",
    )
    parser.add_argument("--message", default="", help="revision: what it does")
    arguments = parser.parse_args()
    url = os.environ.get("ROTA_POSTGRES_URL")
    if not url:
        sys.exit("ROTA_POSTGRES_URL is not set: postgresql://owner:password@host:port/database")
    config = configuration(url)
    match arguments.command:
        case "upgrade":
            command.upgrade(config, "head")
        case "check":
            command.check(config)
        case _:
            command.revision(config, message=arguments.message, autogenerate=True)


if __name__ == "__main__":
    main()
