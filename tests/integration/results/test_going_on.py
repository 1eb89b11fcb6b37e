"""A run that goes on after it ended: by an approval, or since a person lets an interrupted one."""

from rota_contracts.events import JobCompleted
from tests.integration.results.test_results import a_recorder
from tests.support.attempts import an_ended_attempt
from tests.support.completions import a_completion
from tests.support.world import World


async def interrupted(world: World, **last: object) -> tuple[JobCompleted, JobCompleted]:
    """The two outcomes of a run that was interrupted, and repeated."""
    context = await world.a_context()
    job = await world.a_job(context)
    first = a_completion(context, job, attempt=2, status="error", error_kind="interrupted")
    return first, a_completion(context, job, run_id=first.run_id, attempt=3, **last)


async def counted(world: World) -> tuple[int, int, str]:
    [row] = await world.sql("SELECT run_count, error_count, last_run_status FROM job_statistics")
    return tuple(row)


async def test_an_interrupted_run_that_succeeds_at_last_has_not_failed(world: World) -> None:
    recorder = await a_recorder(world)
    first, last = await interrupted(world)
    await recorder.on_job_completed([first])
    assert await counted(world) == (1, 1, "error")
    await recorder.on_job_completed([last])
    assert await counted(world) == (1, 0, "success")


async def test_one_that_fails_again_has_failed_once(world: World) -> None:
    recorder = await a_recorder(world)
    first, last = await interrupted(world, status="error", error_kind="tool_error")
    await recorder.on_job_completed([first])
    await recorder.on_job_completed([last])
    assert await counted(world) == (1, 1, "error")


async def test_the_outcome_of_a_run_that_went_on_is_found_when_its_event_was_lost(world: World) -> None:
    """Though the run has a result: that of the attempt before."""
    recorder = await a_recorder(world)
    first, last = await interrupted(world)
    await recorder.on_job_completed([first])
    await an_ended_attempt(world, first)
    await an_ended_attempt(world, last)
    assert await recorder.sweep() == 1
    [row] = await world.sql("SELECT attempt, status FROM agent_execution_results")
    assert tuple(row) == (3, "success")
    assert await recorder.sweep() == 0
