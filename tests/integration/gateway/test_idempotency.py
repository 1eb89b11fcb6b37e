"""The same POST twice, with the same key, happens once."""

import asyncio
from typing import Any

from rota_gateway.repository import idempotency
from tests.integration.gateway.conftest import JOB, Person, Served
from tests.support.world import World


async def post(person: Person, path: str, body: Any, key: str) -> Any:
    return await person.http.post(f"/api/v1{path}", json=body, headers={"Idempotency-Key": key})


async def test_a_repeated_request_gets_the_same_answer_and_happens_once(person: Person, world: World) -> None:
    context = await person.context()
    path = f"/contexts/{context}/jobs"
    first = await post(person, path, JOB, "key-1")
    second = await post(person, path, JOB, "key-1")
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() == second.json()
    assert await world.value("SELECT count(*) FROM scheduled_jobs") == 1
    run = await post(person, f"/jobs/{first.json()['id']}/run", None, "key-2")
    again = await post(person, f"/jobs/{first.json()['id']}/run", None, "key-2")
    assert run.json() == again.json()
    assert await world.value("SELECT count(*) FROM run_requests") == 1


async def test_a_key_used_for_another_request_is_refused(person: Person) -> None:
    context = await person.context()
    await post(person, f"/contexts/{context}/jobs", JOB, "key-1")
    refused = await post(person, f"/contexts/{context}/jobs", {**JOB, "name": "Other"}, "key-1")
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["field"] == "Idempotency-Key"


async def test_keys_of_two_people_are_not_the_same_key(person: Person, other: Person) -> None:
    assert (await post(person, "/contexts", {"name": "A"}, "key-1")).status_code == 201
    assert (await post(other, "/contexts", {"name": "B"}, "key-1")).status_code == 201


async def test_a_refused_request_leaves_the_key_free(person: Person) -> None:
    assert (await post(person, "/contexts", {"name": ""}, "key-1")).status_code == 422
    assert (await post(person, "/contexts", {"name": "A"}, "key-1")).status_code == 201


async def test_a_request_beside_one_with_the_same_key_is_told_to_wait(served: Served, person: Person) -> None:
    async with served.gateway.transaction(person.id) as connection:
        assert await idempotency.lock(connection, person.id, "key-1")
        assert (await post(person, "/contexts", {"name": "A"}, "key-1")).status_code == 409
    assert (await post(person, "/contexts", {"name": "A"}, "key-1")).status_code == 201


async def test_many_at_once_with_one_key_happen_once(person: Person, world: World) -> None:
    answers = await asyncio.gather(*(post(person, "/contexts", {"name": "A"}, "key-1") for _ in range(8)))
    statuses = {answer.status_code for answer in answers}
    assert 201 in statuses
    assert statuses <= {201, 409}
    assert len({answer.json()["id"] for answer in answers if answer.status_code == 201}) == 1
    assert await world.value("SELECT count(*) FROM contexts") == 1


async def test_a_secret_is_not_kept_for_repetition(person: Person, world: World) -> None:
    first = await post(person, "/api-keys", {"name": "ci"}, "key-1")
    assert first.status_code == 201
    assert (await post(person, "/api-keys", {"name": "ci"}, "key-1")).status_code == 409
    assert await world.value("SELECT body FROM idempotency_keys") is None


async def test_an_unusable_key_is_refused(person: Person) -> None:
    for key in ("", "k" * 256):
        assert (await post(person, "/contexts", {"name": "A"}, key)).status_code == 422
