"""Calls that were interrupted: a person says once what became of each, and the run goes on where it can."""

import asyncio
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.integration.gateway.conftest import Person, Served
from tests.support.world import World


async def interrupted(
    world: World, job: dict[str, Any], *states: str, resumes: int | None = None, kind: str = "interrupted"
) -> tuple[UUID, list[str]]:
    """A run of the job that ended so in its next attempt after these calls; the run and the calls."""
    attempt = (resumes or 0) + 1
    run = await world.an_occurrence(
        UUID(job["id"]),
        attempt=attempt + 1,
        resumes=resumes,
        state="closed",
        disposition="ran",
        closed_at=datetime.now(UTC),
        dispatched_at=None,
    )
    await world.sql(
        """
        INSERT INTO agent_execution_results
            (run_id, context_id, schedule_id, job_name, agent_name, prompt, status, error_kind,
             execution_duration_ms, attempt, trigger, session_id, scheduled_for, started_at, completed_at)
        SELECT run_id, context_id, job_id, 'Report', 'clerk', 'Do it.', 'error', :kind, 1, :attempt, 'manual',
               run_id, scheduled_for, now(), now()
        FROM occurrences WHERE run_id = :run
        """,
        run=run,
        kind=kind,
        attempt=attempt + 1,
    )
    calls = [
        await world.value(
            "INSERT INTO tool_effects (run_id, attempt, call_id, context_id, tool_name, state, arguments)"
            " SELECT run_id, :attempt, :call, context_id, 'send', :state, '{\"to\": \"ann\"}'"
            " FROM occurrences WHERE run_id = :run RETURNING id",
            run=run,
            attempt=attempt,
            call=f"call/{number}",
            state=state,
        )
        for number, state in enumerate(states)
    ]
    return run, [str(call) for call in calls]


async def resumed(world: World) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in await world.sql("SELECT run_id, attempt FROM run_resumptions")]


async def a_job(person: Person) -> dict[str, Any]:
    return await person.job(await person.context())


async def test_what_is_open_is_listed_with_its_arguments(person: Person, world: World) -> None:
    job = await a_job(person)
    run, [started, done] = await interrupted(world, job, "started", "done")
    await interrupted(world, job, "started", kind="timeout")
    [shown] = (await person.get("/effects", is_open="true", context_id=job["context_id"]))["items"]
    assert (shown["id"], shown["run_id"], shown["tool_name"]) == (started, str(run), "send")
    assert (shown["arguments"], shown["state"], shown["is_open"]) == ({"to": "ann"}, "started", True)
    assert {one["id"] for one in (await person.get("/effects", run_id=str(run)))["items"]} == {started, done}
    assert len((await person.get("/effects"))["items"]) == 3
    assert len((await person.get("/effects", is_open="false"))["items"]) == 2


async def test_a_run_without_a_checkpoint_stays_as_it_ended_when_the_call_took_effect(
    person: Person, world: World
) -> None:
    _, [call] = await interrupted(world, await a_job(person), "started")
    said = await person.post(f"/effects/{call}/confirm", {"note": " seen it "}, status=200)
    assert (said["decision"], said["note"], said["decided_by"]) == ("confirmed", "seen it", str(person.id))
    assert not said["is_open"]
    assert await resumed(world) == []


async def test_a_run_that_had_waited_before_goes_on_after_the_call(person: Person, world: World) -> None:
    run, [call] = await interrupted(world, await a_job(person), "started", resumes=1)
    await person.post(f"/effects/{call}/confirm", status=200)
    assert await resumed(world) == [(run, 3)]


async def test_a_run_gets_another_attempt_once_all_that_is_open_is_decided_upon(
    person: Person, world: World
) -> None:
    run, [first, second] = await interrupted(world, await a_job(person), "started", "started")
    await person.post(f"/effects/{first}/repeat", status=200)
    assert await resumed(world) == []
    await person.post(f"/effects/{second}/confirm", status=200)
    assert await resumed(world) == [(run, 2)]


async def test_what_is_known_to_be_done_may_be_wanted_again(person: Person, world: World) -> None:
    run, [call] = await interrupted(world, await a_job(person), "done")
    refused = await person.post(f"/effects/{call}/confirm", status=409)
    assert "known to be done" in refused["detail"]
    await person.post(f"/effects/{call}/repeat", status=200)
    assert await resumed(world) == [(run, 2)]


@pytest.mark.parametrize("words", [("confirm", "repeat"), ("repeat", "repeat")])
async def test_of_two_who_decide_at_once_one_is_told_that_it_is_decided(
    person: Person, served: Served, world: World, words: tuple[str, str]
) -> None:
    job = await a_job(person)
    other = await served.person()
    await other.joins(job["context_id"], "operator")
    for _ in range(5):
        _, [call] = await interrupted(world, job, "started")
        answers = await asyncio.gather(
            *(
                one.http.post(f"/api/v1/effects/{call}/{word}", json={})
                for one, word in zip((person, other), words, strict=True)
            )
        )
        assert sorted(answer.status_code for answer in answers) == [200, 409]
    assert await world.value("SELECT count(*) FROM effect_decisions") == 5


async def test_what_is_not_open_is_refused_with_the_reason(person: Person, world: World) -> None:
    job = await a_job(person)
    for state, kind, why in (
        ("failed", "interrupted", "failed, and the run knew"),
        ("started", "timeout", "was not interrupted"),
    ):
        _, [call] = await interrupted(world, job, state, kind=kind)
        assert why in (await person.post(f"/effects/{call}/repeat", status=409))["detail"]
    _, [call] = await interrupted(world, job, "started")
    await world.sql("UPDATE agent_execution_results SET schedule_id = NULL")
    refused = await person.post(f"/effects/{call}/repeat", status=409)
    assert "job was deleted" in refused["detail"]
    await person.post(f"/effects/{uuid4()}/repeat", status=404)


@pytest.mark.parametrize(("role", "status"), [("viewer", 403), ("editor", 403), (None, 404)])
async def test_who_may_not_decide_says_nothing(
    person: Person, served: Served, world: World, role: str | None, status: int
) -> None:
    job = await a_job(person)
    _, [call] = await interrupted(world, job, "started")
    stranger = await served.person()
    if role:
        await stranger.joins(job["context_id"], role)
    for word in ("confirm", "repeat"):
        await stranger.post(f"/effects/{call}/{word}", status=status)
    assert await world.value("SELECT count(*) FROM effect_decisions") == 0
