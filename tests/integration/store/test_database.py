"""What the pool of connections promises beside running statements."""

import asyncio
import contextlib
import json
import traceback
from collections.abc import AsyncIterator
from datetime import timedelta
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import asyncpg
import pytest

from rota_store import Database, StatementError, database, is_transient
from tests.support.eventually import eventually
from tests.support.world import World

SECRET = "a secret prompt"
A_CONVERSATION = (
    "INSERT INTO conversations (session_id, context_id, run_id, agent_name)"
    " VALUES (gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), :value)"
)


@pytest.fixture
async def single(world: World) -> AsyncIterator[Database]:
    """A pool of one connection, so that what one use leaves behind is what the next finds."""
    database = Database(world.environment("results")["ROTA_POSTGRES_URL"], application="test", pool_size=1)
    yield database
    await database.close()


async def backend(database: Database) -> int:
    [row] = await database.fetch("SELECT pg_backend_pid()")
    return int(row[0])


@pytest.mark.parametrize(
    ("statement", "value"),
    [
        # Refused by a constraint, by PostgreSQL's conversions, by the driver.
        (A_CONVERSATION, SECRET),
        ("INSERT INTO conversations (agent_name) VALUES (:value)", SECRET),
        ("SELECT CAST(CAST(:value AS text) AS integer)", SECRET),
        ("SELECT CAST(:value AS integer)", SECRET),
        ("SELECT CAST(:value AS jsonb)", SECRET),
        ("SELECT CAST(:value AS uuid[])", [SECRET]),
        ("SELECT CAST(:value AS timestamptz)", SECRET),
        ("SELECT CAST(:value AS text)", SECRET + "\x00"),
        ("SELECT CAST(:value AS text)", SECRET + "\ud800"),
    ],
)
async def test_an_error_does_not_tell_what_was_to_be_stored(
    world: World, statement: str, value: object
) -> None:
    """Errors end in logs; prompts and answers must not."""
    with pytest.raises(StatementError) as caught:
        await world.database("results").fetch(statement, {"value": value})
    assert not is_transient(caught.value)
    told = [str(caught.value), repr(caught.value), "".join(traceback.format_exception(caught.value))]
    assert [text for text in told if SECRET in text] == []


async def test_an_error_names_the_constraint(world: World) -> None:
    context = await world.a_context("Home")
    with pytest.raises(StatementError, match="duplicate key") as caught:
        await world.a_context("Home")
    assert (caught.value.sqlstate, caught.value.constraint) == ("23505", "uq_contexts_name")
    assert str(context) not in str(caught.value)


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT 1 FROM a_table_of_the_next_version",
        "SELECT a_column_of_the_next_version FROM contexts",
        # As a server says it that only reads.
        "DO $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '25006'; END $$",
    ],
)
async def test_a_database_that_is_not_ready_is_no_fault_of_a_message(world: World, statement: str) -> None:
    """Else every message that arrives before the migration is a dead letter."""
    with pytest.raises(StatementError) as caught:
        await world.database("results").execute(statement)
    assert is_transient(caught.value)


async def test_a_database_that_is_not_there_yet_is_waited_for(world: World) -> None:
    url = world.environment("results")["ROTA_POSTGRES_URL"].replace(world.name, "of_tomorrow")
    database = Database(url, application="test")
    with pytest.raises(Exception, match="does not exist") as caught:
        await database.fetch("SELECT 1")
    assert is_transient(caught.value)


async def test_what_a_message_holds_is_the_fault_of_the_message(world: World) -> None:
    for statement in ("SELECT CAST('x' AS integer)", "SELECT 1 / 0", "INSERT INTO users VALUES (NULL)"):
        with pytest.raises(StatementError) as caught:
            await world.sql(statement)
        assert not is_transient(caught.value)


async def test_a_row_is_read_by_name_by_number_and_as_a_sequence(world: World) -> None:
    user = uuid4()
    [row] = await world.sql(
        "SELECT CAST(:id AS uuid) AS id, :life + interval '1 s' AS life, CAST(:ids AS uuid[]) AS ids,"
        " CAST(:document AS jsonb) AS document, '{\"a\": 1}'::jsonb ? 'a' AS \"is :known\" -- :never",
        id=user,
        life=timedelta(seconds=1),
        ids=[user],
        document='{"a": [1]}',
    )
    assert (row.id, row["life"], row[2]) == (user, timedelta(seconds=2), [user])
    identifier, *_, document, is_known = row
    assert isinstance(identifier, UUID)
    assert (json.loads(document), is_known) == ({"a": [1]}, True)
    with pytest.raises(AttributeError):
        _ = row.nothing


async def test_execute_tells_how_many_rows_it_touched(world: World) -> None:
    for name in ("a", "b"):
        await world.a_context(name)
    owner = world.database("gateway")
    assert await owner.execute("UPDATE api_keys SET name = 'x' WHERE name = :name", {"name": "y"}) == 0
    assert await owner.execute("SET LOCAL work_mem = '1MB'") == 0
    assert await world.sql("UPDATE contexts SET max_concurrent_runs = 1 RETURNING id") != []


async def test_parameters_and_values_must_match(world: World) -> None:
    for values in ({}, {"a": 1, "b": 2}, {"b": 1}):
        with pytest.raises(TypeError, match="without a"):
            await world.sql("SELECT CAST(:a AS int)", **values)


async def test_the_first_users_of_a_pool_do_not_wait_for_one_another(world: World) -> None:
    database = world.database("results")
    pids = await asyncio.gather(*(backend(database) for _ in range(20)))
    assert 1 <= len(set(pids)) <= 5


async def test_a_connection_that_died_is_replaced(single: Database, world: World) -> None:
    before = await backend(single)
    await world.sql("SELECT pg_terminate_backend(:pid)", pid=before)

    async def answers() -> bool:
        try:
            return await backend(single) != before
        except Exception as error:
            if not is_transient(error):
                raise
            return False

    await eventually(answers)


class EndlessWire:
    """A way to the server that passes on every word and never the end."""

    def __init__(self, server_port: int) -> None:
        self._server_port = server_port
        self.has_ended = asyncio.Event()

    async def join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_server, to_server = await asyncio.open_connection("127.0.0.1", self._server_port)
        asking = asyncio.create_task(self._pass_on(reader, to_server))
        await self._pass_on(from_server, writer)
        self.has_ended.set()
        await asking
        to_server.close()
        writer.close()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while words := await reader.read(65536):
                writer.write(words)
                await writer.drain()


async def test_a_connection_that_the_server_gave_up_and_that_stays_open_fails_once(world: World) -> None:
    """Else every statement that gets it fails, until a timeout of the network's."""
    url = urlsplit(world.environment("results")["ROTA_POSTGRES_URL"])
    wire = EndlessWire(url.port or 5432)
    server = await asyncio.start_server(wire.join, "127.0.0.1", 0)
    there = f"{url.username}:{url.password}@127.0.0.1:{server.sockets[0].getsockname()[1]}"
    database = Database(url._replace(netloc=there).geturl(), application="test", pool_size=1)
    await world.sql("SELECT pg_terminate_backend(:pid)", pid=await backend(database))
    await asyncio.wait_for(wire.has_ended.wait(), 10)
    with pytest.raises(asyncpg.InternalClientError) as caught:
        async with database.transaction():
            pass
    assert is_transient(caught.value)
    assert await backend(database)
    await database.close()
    server.close()
    await server.wait_closed()


async def test_a_connection_that_dies_in_a_statement_is_a_transient_error(
    single: Database, world: World
) -> None:
    pid = await backend(single)
    for statement in ("SELECT pg_sleep(30)", "SELECT 1 FROM pg_sleep(30)"):
        waiting = asyncio.create_task(single.fetch(statement))
        await eventually(lambda: sleeps(world))
        await world.sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(30)'"
        )
        with pytest.raises((StatementError, asyncpg.InterfaceError)) as caught:
            await waiting
        assert is_transient(caught.value), repr(caught.value)
        assert await backend(single) != pid


async def sleeps(world: World) -> bool:
    found = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(30)' AND state = 'active'"
    return bool(await world.value(found))


async def test_a_transaction_that_is_cancelled_leaves_a_clean_connection(
    single: Database, world: World
) -> None:
    pid = await backend(single)

    async def stuck() -> None:
        async with single.transaction(uuid4()) as connection:
            await connection.execute("CREATE TEMPORARY TABLE left_behind (id int)")
            await connection.fetch("SELECT pg_sleep(30)")

    task = asyncio.create_task(stuck())
    await eventually(lambda: sleeps(world))
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    [row] = await single.fetch(
        "SELECT to_regclass('left_behind') AS left_behind, current_setting('rota.user_id', true) AS user_id,"
        " pg_backend_pid() AS pid"
    )
    assert (row.left_behind, row.user_id or None, row.pid) == (None, None, pid)


async def test_a_commit_after_an_error_that_was_swallowed_is_an_error(single: Database) -> None:
    """Else what was never stored would be announced."""

    async def swallow() -> None:
        async with single.transaction() as connection:
            with contextlib.suppress(StatementError):
                await connection.fetch("SELECT 1 / 0")

    with pytest.raises(StatementError, match="nothing is committed"):
        await swallow()
    assert await backend(single)


async def test_who_gets_no_connection_of_the_pool_in_time_tries_again(
    single: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rota_store.database.ACQUIRE_SECONDS", 0.1)
    async with single.transaction():
        with pytest.raises(TimeoutError) as caught:
            await single.fetch("SELECT 1")
    assert is_transient(caught.value)
    assert await backend(single)


async def test_a_migration_under_a_prepared_statement_is_survived(single: Database, world: World) -> None:
    owner = Database(world.servers.postgres.admin_url(world.name), application="test", pool_size=1)
    await owner.execute("CREATE TABLE changing (id int)")
    await owner.fetch("SELECT * FROM changing")
    await world.sql("ALTER TABLE changing ADD COLUMN name text")
    assert await owner.fetch("SELECT * FROM changing") == []
    await world.sql("ALTER TABLE changing ADD COLUMN other text")

    async def read() -> None:
        async with owner.transaction() as connection:
            await connection.fetch("SELECT * FROM changing")

    with pytest.raises(StatementError) as caught:
        await read()
    assert is_transient(caught.value)
    await read()
    await owner.close()


async def test_plans_are_made_anew_after_a_while(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that was made for empty tables does not outlive the crowd that fills them."""
    monkeypatch.setattr(database, "PLANS_SECONDS", 0)
    fixed = Database(
        world.environment("ticker")["ROTA_POSTGRES_URL"],
        application="test",
        pool_size=1,
        has_fixed_plans=True,
    )
    sent: list[str] = []
    async with fixed._connection() as pooled:
        pooled.add_query_logger(lambda statement: sent.append(statement.query))
    await fixed.fetch("SELECT 1")
    await fixed.close()
    assert sent == ["DISCARD PLANS", "SELECT 1"]
