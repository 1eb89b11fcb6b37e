"""Calls that wait for a person: who decides, once, in time, and when the run goes on."""

import asyncio
import json
from typing import Any
from uuid import UUID, uuid4

import pytest

from rota_bus import Bus
from rota_contracts.events import ApprovalDecided
from tests.integration.gateway.conftest import Person, Served
from tests.support.world import World


async def a_parked_run(world: World, context: str, *calls: str, attempt: int = 1) -> tuple[UUID, list[UUID]]:
    """A stored result with calls that wait; the run and the actions."""
    run_id = uuid4()
    await world.sql(
        """
        INSERT INTO agent_execution_results
            (run_id, context_id, job_name, agent_name, prompt, status, execution_duration_ms, attempt,
             trigger, session_id, scheduled_for, started_at, completed_at, pending_actions_created)
        VALUES (:run, :context, 'Report', 'clerk', 'Do it.', 'partial', 1, :attempt,
                'manual', :run, now(), now(), now(), :count)
        """,
        run=run_id,
        context=UUID(context),
        attempt=attempt,
        count=len(calls),
    )
    actions = [
        await world.value(
            "INSERT INTO pending_actions (context_id, run_id, tool_call_id, tool_name, arguments, expires_at)"
            " VALUES (:context, :run, :call, 'clock', CAST(:arguments AS jsonb), now() + interval '1 day')"
            " RETURNING id",
            context=UUID(context),
            run=run_id,
            call=call,
            arguments=json.dumps({"timezone": "Europe/Rome"}),
        )
        for call in calls
    ]
    return run_id, actions


async def resumptions(world: World) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in await world.sql("SELECT run_id, attempt FROM run_resumptions")]


async def test_a_run_goes_on_when_its_last_call_is_decided_upon(person: Person, world: World) -> None:
    context = await person.context()
    run_id, (first, second) = await a_parked_run(world, context, "a", "b", attempt=3)
    waiting = await person.get("/approvals", context_id=context, status="pending")
    assert {one["id"] for one in waiting["items"]} == {str(first), str(second)}
    approved = await person.post(f"/approvals/{first}/approve", {"note": " fine "}, status=200)
    assert (approved["status"], approved["note"], approved["decided_by"]) == (
        "approved",
        "fine",
        str(person.id),
    )
    assert await resumptions(world) == []
    denied = await person.post(f"/approvals/{second}/deny", {"note": "too dear"}, status=200)
    assert denied["status"] == "denied"
    assert await resumptions(world) == [(run_id, 3)]
    assert (await person.get("/approvals", status="pending"))["items"] == []
    assert len((await person.get("/approvals"))["items"]) == 2


async def test_the_ticker_hears_of_it_where_the_job_is_known(
    person: Person, world: World, ticker_bus: Bus
) -> None:
    context = await person.context()
    job = await person.job(context)
    run_id, [action] = await a_parked_run(world, context, "a")
    await world.sql("UPDATE agent_execution_results SET schedule_id = :job", job=UUID(job["id"]))
    heard: asyncio.Queue[bytes] = asyncio.Queue()

    async def hear(_subject: str, payload: bytes) -> None:
        heard.put_nowait(payload)

    await ticker_bus.listen("approval.decided.*.*", hear)
    await person.post(f"/approvals/{action}/approve", status=200)
    told = json.loads(await asyncio.wait_for(heard.get(), 15))
    assert (ApprovalDecided.NAME, told["run_id"]) == ("approval.decided", str(run_id))


async def test_of_two_who_decide_at_once_one_is_told_that_it_is_decided(
    person: Person, served: Served, world: World
) -> None:
    context = await person.context()
    other = await served.person()
    await other.joins(context, "operator")
    for _ in range(5):
        _, [action] = await a_parked_run(world, context, "a")
        answers = await asyncio.gather(
            person.http.post(f"/api/v1/approvals/{action}/approve", json={}),
            other.http.post(f"/api/v1/approvals/{action}/deny", json={"note": "no"}),
        )
        assert sorted(answer.status_code for answer in answers) == [200, 409]
        [late] = [answer.json()["detail"] for answer in answers if answer.status_code == 409]
        assert "already" in late
    assert await world.value("SELECT count(*) FROM approval_decisions") == 5
    assert len(await resumptions(world)) == 5


async def test_two_who_decide_on_different_calls_at_once_let_the_run_go_on_once(
    person: Person, served: Served, world: World
) -> None:
    context = await person.context()
    other = await served.person()
    await other.joins(context, "operator")
    for _ in range(5):
        _, (first, second) = await a_parked_run(world, context, "a", "b")
        await asyncio.gather(
            person.post(f"/approvals/{first}/approve", status=200),
            other.post(f"/approvals/{second}/approve", status=200),
        )
    assert len(await resumptions(world)) == 5


async def test_what_has_expired_is_not_decided_any_more(person: Person, world: World) -> None:
    _, [action] = await a_parked_run(world, await person.context(), "a")
    await world.sql("UPDATE pending_actions SET expires_at = now() - interval '1 second'")
    assert (await person.get(f"/approvals/{action}"))["status"] == "expired"
    refused = await person.post(f"/approvals/{action}/approve", status=409)
    assert "expired" in refused["detail"]


async def test_edited_arguments_are_kept_beside_those_of_the_model_and_must_fit_the_tool(
    person: Person, world: World
) -> None:
    _, [action] = await a_parked_run(world, await person.context(), "a")
    problem = await person.post(f"/approvals/{action}/approve", {"arguments": {"timezone": 7}}, status=422)
    assert problem["errors"][0]["field"].startswith("arguments")
    edited = {"timezone": "Asia/Tokyo"}
    approved = await person.post(f"/approvals/{action}/approve", {"arguments": edited}, status=200)
    assert approved["approved_arguments"] == edited
    assert approved["arguments"] == {"timezone": "Europe/Rome"}


@pytest.mark.parametrize(
    ("role", "status"), [("viewer", 403), ("editor", 403), (None, 404), ("operator", 200)]
)
async def test_who_may_decide(
    person: Person, served: Served, world: World, role: str | None, status: int
) -> None:
    context = await person.context()
    _, [action] = await a_parked_run(world, context, "a")
    other = await served.person()
    if role:
        await other.joins(context, role)
    await other.post(f"/approvals/{action}/deny", status=status)
    await person.post(f"/approvals/{uuid4()}/approve", status=404)
