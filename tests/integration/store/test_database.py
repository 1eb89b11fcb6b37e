"""What the pool of connections promises beside running statements."""

import pytest
from sqlalchemy.exc import DBAPIError

from rota_store import Database, is_transient
from tests.support.world import World


async def test_an_error_does_not_tell_what_was_to_be_stored(world: World) -> None:
    """Errors end in logs; prompts and answers must not."""
    with pytest.raises(DBAPIError) as caught:
        await world.database("results").fetch(
            "INSERT INTO conversations (session_id, context_id, run_id, agent_name)"
            " VALUES (gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), :name)",
            {"name": "a secret prompt"},
        )
    assert "a secret prompt" not in str(caught.value)


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
    with pytest.raises(DBAPIError) as caught:
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
        with pytest.raises(DBAPIError) as caught:
            await world.sql(statement)
        assert not is_transient(caught.value)
