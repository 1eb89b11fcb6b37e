"""What the pool of connections promises beside running statements."""

import pytest
from sqlalchemy.exc import DBAPIError

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
