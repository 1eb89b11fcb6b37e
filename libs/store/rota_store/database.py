"""The pool of connections and its transactions."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any
from uuid import UUID

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from rota_chassis.lifecycle import Lifetime
from rota_chassis.settings import ServiceSettings
from rota_store.errors import DRIVER_ERRORS, StatementError, without_values
from rota_store.statement import positional

CONNECT_SECONDS = 5.0
STATEMENT_SECONDS = 30.0
ACQUIRE_SECONDS = 10.0
CLOSE_SECONDS = 5.0
# To plan a statement for one run takes longer than to execute it, so each connection plans it once. That may
# be while a table is empty and PostgreSQL has been told so: any plan seems good then, and stays when there
# are thousands of rows. So the planner is left no choice but to look each row up in an index, which is right
# at every size. A statement says `a.id = ANY (ARRAY[b.id])` for `a.id = b.id` where `a` is to be looked up:
# no index is read from end to end for that, and `b` is not looked through for each `a`. Another index that
# would do as well for what is known by its id, or be read whole for the second of its columns, is kept away:
# by `|| ''` from a state, by `IS NOT DISTINCT FROM` from an instant.
FIXED_PLANS = {
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "enable_indexonlyscan": "off",
}
# And lest a plan that is bad all the same, made in a moment in which every plan costs the same, lasts until
# PostgreSQL looks at the tables again: so long a connection keeps its plans.
PLANS_SECONDS = 10.0
# Left to itself, PostgreSQL keeps a plan as well, after five executions, whatever becomes of the tables.
FRESH_PLANS = {"plan_cache_mode": "force_custom_plan"}


class Row(asyncpg.Record):
    """A row: `row.name`, `row["name"]`, `row[0]`, and a sequence; json and jsonb in it are text."""

    __slots__ = ()

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None


class Connection:
    """What runs statements in an open transaction; parameters as `:name`."""

    def __init__(self, pooled: "PoolConnectionProxy[Row]") -> None:
        self._pooled = pooled

    async def fetch(self, statement: str, values: Mapping[str, Any] | None = None) -> list[Row]:
        """The rows of a statement.

        Raises:
            StatementError: PostgreSQL refuses it.

        """
        text, arguments = positional(statement, values)
        try:
            return await self._pooled.fetch(text, *arguments)
        except DRIVER_ERRORS as error:
            raise without_values(error) from None

    async def execute(self, statement: str, values: Mapping[str, Any] | None = None) -> int:
        """Runs a statement; the number of rows it touched.

        Raises:
            StatementError: PostgreSQL refuses it.

        """
        text, arguments = positional(statement, values)
        try:
            tag = await self._pooled.execute(text, *arguments)
        except DRIVER_ERRORS as error:
            raise without_values(error) from None
        count = tag.rpartition(" ")[2]
        return int(count) if count.isdecimal() else 0


class Database:
    """A pool of connections as one PostgreSQL role."""

    def __init__(
        self, url: str, *, application: str, pool_size: int = 5, has_fixed_plans: bool = False
    ) -> None:
        """Connects lazily to `postgresql://role:password@host:port/database`.

        With `has_fixed_plans` a statement is planned once in `PLANS_SECONDS` in each connection, for whatever
        values; else each time.
        """
        self._url = url
        self._application = application
        self._pool_size = pool_size
        self._settings = FIXED_PLANS if has_fixed_plans else FRESH_PLANS
        # By its process at the server, when a connection began to plan.
        self._planned: dict[int, float] = {}
        self._pool: asyncpg.Pool[Row] | None = None
        self._opening = asyncio.Lock()

    @contextlib.asynccontextmanager
    async def transaction(self, user_id: UUID | None = None) -> AsyncIterator[Connection]:
        """One transaction; committed when the block ends, rolled back when it raises.

        With `user_id`, row level security shows what that user may see, until the transaction ends.
        """
        begin = "BEGIN"
        if user_id is not None:  # one way to the server and back for both; a UUID needs no quoting
            begin = f"BEGIN; SELECT set_config('rota.user_id', '{UUID(int=user_id.int)}', true)"
        async with self._connection() as pooled:
            connection = Connection(pooled)
            try:
                await pooled.execute(begin)
                yield connection
                await _commit(pooled)
            except BaseException:
                # What cannot be rolled back any more is a lost connection, and the pool drops it.
                with contextlib.suppress(Exception):
                    await pooled.execute("ROLLBACK")
                raise

    async def fetch(self, statement: str, values: Mapping[str, Any] | None = None) -> list[Row]:
        """The rows of one statement, which is a transaction of its own; parameters as `:name`."""
        async with self._connection() as pooled:
            return await Connection(pooled).fetch(statement, values)

    async def execute(self, statement: str, values: Mapping[str, Any] | None = None) -> int:
        """Runs one statement, which is a transaction of its own; the number of rows it touched."""
        async with self._connection() as pooled:
            return await Connection(pooled).execute(statement, values)

    async def check(self) -> None:
        """Raises when PostgreSQL does not answer within 2 seconds."""
        async with asyncio.timeout(2):
            await self.fetch("SELECT 1")

    async def close(self) -> None:
        """Closes what is open; whoever comes later finds the database open again."""
        pool, self._pool = self._pool, None
        self._planned.clear()
        if pool is not None:
            with contextlib.suppress(TimeoutError):  # the pool cuts off what still runs then
                async with asyncio.timeout(CLOSE_SECONDS):
                    await pool.close()

    @contextlib.asynccontextmanager
    async def _connection(self) -> AsyncIterator["PoolConnectionProxy[Row]"]:
        pool = self._pool or await self._open()
        async with asyncio.timeout(ACQUIRE_SECONDS):
            pooled = await pool.acquire()
        try:
            if self._settings is FIXED_PLANS:
                await self._forget_old_plans(pooled)
            yield pooled
        finally:
            await pool.release(pooled, timeout=ACQUIRE_SECONDS)

    async def _forget_old_plans(self, pooled: "PoolConnectionProxy[Row]") -> None:
        now, process = time.monotonic(), pooled.get_server_pid()
        if now - self._planned.setdefault(process, now) > PLANS_SECONDS:
            try:
                await pooled.execute("DISCARD PLANS")
            except DRIVER_ERRORS as error:
                raise without_values(error) from None
            self._planned[process] = now

    async def _open(self) -> "asyncpg.Pool[Row]":
        async with self._opening:
            if self._pool is None:
                self._pool = await asyncpg.create_pool(
                    self._url,
                    min_size=0,
                    max_size=self._pool_size,
                    max_queries=2**62,
                    reset=_as_it_is,
                    record_class=Row,
                    # The statements are few and fixed: prepared once per connection.
                    max_cached_statement_lifetime=0,
                    server_settings={
                        "application_name": f"rota-{self._application}",
                        "jit": "off",
                        **self._settings,
                    },
                    timeout=CONNECT_SECONDS,
                    command_timeout=STATEMENT_SECONDS,
                )
            return self._pool


async def _as_it_is(_: "asyncpg.Connection[Row]") -> None:
    """Nothing here outlives its transaction, so that there is no session to clean before the next."""


async def _commit(pooled: "PoolConnectionProxy[Row]") -> None:
    try:
        tag = await pooled.execute("COMMIT")
    except DRIVER_ERRORS as error:
        raise without_values(error) from None
    if tag == "ROLLBACK":  # what PostgreSQL makes of it after an error that somebody swallowed
        raise StatementError("nothing is committed: a statement before had failed", sqlstate="25P02")


@contextlib.asynccontextmanager
async def opened(settings: ServiceSettings, lifetime: Lifetime, service: str) -> AsyncIterator[Database]:
    """The database of a service while the block runs; the service is ready only while it answers."""
    database = Database(
        settings.postgres_url.get_secret_value(),
        application=service,
        pool_size=settings.postgres_pool_size,
        has_fixed_plans=True,
    )
    lifetime.checks["postgres"] = database.check
    try:
        yield database
    finally:
        await database.close()
