"""Who lets a job forget what its runs came to."""

from uuid import UUID

from tests.integration.gateway.conftest import Person
from tests.support.world import World


async def test_a_job_is_reset_as_often_as_somebody_wants(person: Person, world: World) -> None:
    job = await person.job(await person.context(), continuity="conversation")
    path = f"/jobs/{job['id']}/continuity/reset"
    await person.post(path, status=204)
    first = await world.value(
        "SELECT reset_at FROM job_continuity_resets WHERE job_id = :j", j=UUID(job["id"])
    )
    await person.post(path, status=204)
    [second] = await world.sql("SELECT reset_at FROM job_continuity_resets")
    assert second[0] > first
    # It is no change of the definition: the clock goes on as it did.
    assert (await person.get(f"/jobs/{job['id']}"))["updated_at"] == job["updated_at"]


async def test_only_who_may_write_resets(person: Person, other: Person, world: World) -> None:
    context = await person.context()
    job = await person.job(context)
    path = f"/jobs/{job['id']}/continuity/reset"
    await other.post(path, status=404)
    await other.joins(context, "viewer")
    await other.post(path, status=403)
    assert await world.sql("SELECT * FROM job_continuity_resets") == []
