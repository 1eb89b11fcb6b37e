"""A dry run is kept with what it came to, and counts for nothing."""

import json

from rota_contracts.values import RehearsedCall
from tests.integration.results.test_results import a_recorder
from tests.support.completions import a_completion
from tests.support.world import World

CALL = RehearsedCall(tool_name="send", arguments={"to": "ann"}, effect="write", policy="ask")


async def test_its_calls_are_kept_and_the_statistics_know_nothing_of_it(world: World) -> None:
    context = await world.a_context()
    job = await world.a_job(context)
    recorder = await a_recorder(world)
    dry = a_completion(context, job, trigger="dry_run", rehearsed_calls=[CALL], status="error")
    assert await recorder.on_job_completed([dry, a_completion(context, job)]) == 2
    [kept] = await world.sql("SELECT metadata FROM agent_execution_results WHERE trigger = 'dry_run'")
    [call] = json.loads(kept.metadata)["rehearsed_calls"]
    assert (call["tool_name"], call["arguments"], call["policy"]) == ("send", {"to": "ann"}, "ask")
    [row] = await world.sql("SELECT run_count, error_count, last_run_status FROM job_statistics")
    assert tuple(row) == (1, 0, "success")
