"""Databases for tests, each as the migrations left it.

A copy of the template writes 11 MB, and that again for the log: most of what a small test costs. So a
database is emptied and used again, under another name: whoever still has the old address finds none there.
One whose definitions a test has changed is dropped.
"""

import os
import subprocess
import sys
from uuid import uuid4

from rota_cli.local.postgres import PostgresServer
from rota_store import Database

TEMPLATE = "rota_template"

# Leaves a row behind whenever anybody makes, alters or drops anything in the database.
WATCH = """
    CREATE SCHEMA tests;
    CREATE TABLE tests.changes (tag text);
    CREATE FUNCTION tests.note() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER AS
        $$ BEGIN INSERT INTO tests.changes VALUES (tg_tag); END $$;
    CREATE EVENT TRIGGER changes ON ddl_command_end EXECUTE FUNCTION tests.note();
"""
# Of every table that has room for rows; the version of the schema is no row of anybody's.
FILLED = """
    SELECT relname FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND relname <> 'alembic_version'
      AND pg_relation_size(oid) > 0
"""
# As if the planner had never heard of what was in the tables, or that there was nothing.
FORGET = """
    SELECT pg_clear_relation_stats('public', c.relname),
           (SELECT count(pg_clear_attribute_stats('public', c.relname, s.attname, false))
            FROM pg_stats s WHERE s.schemaname = 'public' AND s.tablename = c.relname)
    FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace
      AND (c.relkind IN ('r', 'p') AND c.reltuples >= 0 OR c.relkind = 'i' AND c.reltuples > 0)
"""


class Databases:
    """Of one server."""

    def __init__(self, postgres: PostgresServer) -> None:
        self._postgres = postgres
        self._spare: list[str] = []

    def prepare(self) -> None:
        """Makes the template."""
        self._postgres.create_database(TEMPLATE)
        environment = {**os.environ, "ROTA_POSTGRES_URL": self._postgres.admin_url(TEMPLATE)}
        migrate = [sys.executable, "-m", "rota_migrations", "upgrade"]
        subprocess.run(migrate, env=environment, check=True, capture_output=True)
        self._postgres.execute(WATCH, database=TEMPLATE)

    def take(self) -> str:
        """The name of one that nobody else has."""
        if self._spare:
            return self._spare.pop()
        name = _a_name()
        self._postgres.create_database(name, template=TEMPLATE)
        return name

    async def give_back(self, name: str) -> None:
        """Whoever is connected to it is cut off."""
        emptied = _a_name()
        self._postgres.execute(
            f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false',
            f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '{name}'",
            f'ALTER DATABASE "{name}" RENAME TO "{emptied}"',
            f'ALTER DATABASE "{emptied}" ALLOW_CONNECTIONS true',
        )
        database = Database(self._postgres.admin_url(emptied), application="tests", pool_size=1)
        try:
            is_as_before = await _emptied(database)
        finally:
            await database.close()
        if is_as_before:
            self._spare.append(emptied)
        else:
            self._postgres.drop_database(emptied)


async def _emptied(database: Database) -> bool:
    """Whether it is as the template: without any row, and nobody has changed a definition."""
    if await database.fetch("SELECT FROM tests.changes"):
        return False
    filled = [row.relname for row in await database.fetch(FILLED)]
    if filled:
        async with database.transaction() as connection:
            # Neither foreign keys nor triggers: what refers to a row goes as well.
            await connection.execute("SET LOCAL session_replication_role = replica")
            for table in filled:
                await connection.execute(f'DELETE FROM "{table}"')
        tables = ", ".join(f'"{table}"' for table in filled)
        await database.execute(f"VACUUM {tables}")
    await database.fetch(FORGET)
    return not await database.fetch(FILLED)


def _a_name() -> str:
    return f"test_{uuid4().hex[:12]}"
