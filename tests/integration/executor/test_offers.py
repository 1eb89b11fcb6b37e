"""What an executor has to offer is announced before it takes work."""

import pytest

from rota_executor.announcing import Announcing
from rota_executor.repository.offers import Offers
from rota_executor.service import registry_of
from rota_executor.settings import ExecutorSettings
from tests.integration.executor.conftest import Stage
from tests.support.eventually import eventually
from tests.support.toolkit import surroundings


async def test_an_executor_announces_its_tools_and_providers(stage: Stage) -> None:
    async with stage.executor() as lifetime:

        async def ready() -> bool:
            try:
                await lifetime.checks["tools"]()
            except ConnectionError:
                return False
            return True

        await eventually(ready, what="the announcement")
        sources = {row.name: row.source for row in await stage.world.sql("SELECT name, source FROM tools")}
        named = {row.name for row in await stage.world.sql("SELECT name FROM model_providers")}
    assert (sources["clock"], sources["recorded"]) == ("rota", "tests.integration.executor.toolbox")
    assert {"anthropic", "openai", "local", "scripted"} <= named
    assert "google" not in named


async def test_an_executor_is_not_ready_before_it_has_announced(stage: Stage) -> None:
    settings = ExecutorSettings.model_validate(stage.environment())
    registry = registry_of(settings, surroundings())
    announcing = Announcing(Offers(stage.world.database("executor")), registry)
    with pytest.raises(ConnectionError, match="the tools are not announced yet"):
        await announcing.check()


async def test_arguments_that_the_schema_does_not_allow_never_reach_the_tool(stage: Stage) -> None:
    async with stage.executor():
        event = await stage.due(tool="clock", arguments={"zone": "UTC"})
        completed = await stage.completed(event)
    assert (completed.status, completed.error_kind) == ("error", "invalid_configuration")
    assert "its arguments are wrong: Additional properties are not allowed" in (completed.error_message or "")
