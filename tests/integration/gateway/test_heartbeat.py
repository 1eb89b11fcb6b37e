"""The heartbeat that a person gets: once, in their time zone, and theirs to change."""

from uuid import UUID

import pytest

from rota_gateway.api.heartbeat import ensure_heartbeat
from rota_gateway.api.job_answers import Job
from rota_gateway.edge.caller import Caller
from rota_gateway.edge.unit import Unit
from rota_gateway.errors import ForbiddenError, InvalidError, NotFoundError
from tests.integration.gateway.conftest import Person, Served


async def heartbeat(person: Person, context: str, timezone: str = "Asia/Kathmandu") -> Job:
    gateway = person.served.gateway
    async with gateway.transaction(person.id) as connection:
        caller = Caller(person.id, "ada@example.org", "Ada", is_admin=False)
        return await ensure_heartbeat(Unit(caller, connection), UUID(context), timezone)


async def test_a_person_gets_one_heartbeat_at_seven_in_their_time_zone(person: Person) -> None:
    context = await person.context()
    made = await heartbeat(person, context)
    assert (made.cron_expression, made.timezone, made.agent_name) == (
        "0 7 * * *",
        "Asia/Kathmandu",
        "orchestrator",
    )
    assert made.next_run_at
    assert (made.next_run_at.hour, made.next_run_at.minute) == (1, 15)
    # Whatever they make of it stays.
    await person.http.patch(f"/api/v1/jobs/{made.id}", json={"cron_expression": "0 9 * * *"})
    again = await heartbeat(person, context, "Europe/Berlin")
    assert (again.id, again.cron_expression, again.timezone) == (made.id, "0 9 * * *", "Asia/Kathmandu")


async def test_two_people_of_a_context_have_one_each(person: Person, served: Served) -> None:
    context = await person.context()
    other = await served.person()
    await served.world.sql(
        "INSERT INTO memberships (context_id, user_id, role) VALUES (:c, :u, 'editor')",
        c=UUID(context),
        u=other.id,
    )
    ids = {(await heartbeat(one, context)).id for one in (person, other, person, other)}
    assert len(ids) == 2


async def test_who_may_make_no_jobs_gets_none(person: Person, served: Served) -> None:
    context = await person.context()
    viewer = await served.person()
    with pytest.raises(NotFoundError):
        await heartbeat(viewer, context)
    await served.world.sql(
        "INSERT INTO memberships (context_id, user_id, role) VALUES (:c, :u, 'viewer')",
        c=UUID(context),
        u=viewer.id,
    )
    with pytest.raises(ForbiddenError):
        await heartbeat(viewer, context)


async def test_a_time_zone_that_there_is_not_is_refused(person: Person) -> None:
    with pytest.raises((InvalidError, ValueError), match="timezone"):
        await heartbeat(person, await person.context(), "Mars/Olympus")
