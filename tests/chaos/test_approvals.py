"""A run that waits for a person outlives everything that carried it."""

import asyncio
import shutil
from typing import Any
from uuid import UUID

from tests.chaos.test_effects import give_tool
from tests.support.eventually import eventually
from tests.support.recorded import WRITES, Execution
from tests.support.system import System


async def a_parked_run(system: System, **agent: str) -> tuple[UUID, dict[str, Any]]:
    """The context of a run whose only call, of a tool that writes, waits; and the call."""
    context = await system.many_jobs(1, model=f"recorded:{WRITES}:0:0")
    await give_tool(system, context, WRITES, policy="ask")
    for column, value in agent.items():
        await system.world.sql(
            f"UPDATE agent_configurations SET {column} = :v WHERE context_id = :c", v=value, c=context
        )
    await system.make_due(context)

    async def waiting() -> list[dict[str, Any]]:
        asked = {"context_id": str(context), "status": "pending"}
        found: list[dict[str, Any]] = (await system.api.get("/api/v1/approvals", params=asked)).json()[
            "items"
        ]
        return found

    [action] = await eventually(waiting, seconds=60, what="a call that waits")
    return context, action


async def ended(system: System, action: dict[str, Any]) -> dict[str, Any]:
    """The run, once it has gone on to its end."""

    async def over() -> dict[str, Any] | None:
        run: dict[str, Any] = (await system.api.get(f"/api/v1/runs/{action['run_id']}")).json()
        return run if run["status"] != "partial" and run["disposition"] == "ran" else None

    found = await eventually(over, seconds=60, what="the end of the run")
    assert found is not None
    return found


def made(system: System, context: UUID) -> list[Execution]:
    return [call for call in system.executions() if call.context_id == str(context)]


async def test_a_call_is_made_once_approved_though_executor_and_nats_are_gone(system: System) -> None:
    """I2, I4: who parked is killed, the streams are deleted; approved, the call is made once, elsewhere."""
    context, action = await a_parked_run(system)
    for name in ("executor", "executor-2"):
        system.kill(name)
    nats = system.world.servers.nats
    nats.kill()
    shutil.rmtree(nats.data_dir / "jetstream")
    await asyncio.to_thread(nats.start)
    answer = await system.api.post(f"/api/v1/approvals/{action['id']}/approve", json={"note": "go"})
    assert answer.status_code == 200, answer.text
    assert made(system, context) == []
    system.start("executor-2")
    run = await ended(system, action)
    assert (run["status"], run["attempt"], run["error_message"]) == ("success", 2, None)
    assert [call.how for call in made(system, context)] == ["ended"]
    [settled] = run["pending_actions"]
    assert settled["status"] == "approved"
    told = [one["category"] for one in run["deliveries"]]
    assert sorted(told) == ["approval_needed", "success", "success"]
    again = await system.api.post(f"/api/v1/approvals/{action['id']}/deny", json={})
    assert again.status_code == 409


async def test_a_dry_run_writes_nothing_and_what_it_shows_can_be_granted(system: System) -> None:
    """What it would ask for is granted from its list; the run after it need not ask."""
    context = await system.many_jobs(1, model=f"recorded:{WRITES}:0:0")
    await give_tool(system, context, WRITES, policy="ask")
    jobs = (await system.api.get(f"/api/v1/contexts/{context}/jobs")).json()["items"]
    job = jobs[0]["id"]

    async def over(address: str) -> dict[str, Any]:
        run_id = (await system.api.post(f"/api/v1/jobs/{job}/{address}", json={})).json()["run_id"]

        async def ran() -> dict[str, Any] | None:
            answer = await system.api.get(f"/api/v1/runs/{run_id}")
            run: dict[str, Any] = answer.json()
            return run if answer.status_code == 200 and run["completed_at"] else None

        found = await eventually(ran, seconds=60, what=f"the end of the {address}")
        assert found is not None
        return found

    dry = await over("dry-run")
    assert (dry["status"], dry["trigger"], dry["pending_actions"]) == ("success", "dry_run", [])
    [call] = dry["rehearsed_calls"]
    assert (call["tool_name"], call["policy"], call["is_granted"], call["is_made"]) == (
        WRITES,
        "ask",
        False,
        False,
    )
    asked = {"job_id": job, "tool_name": WRITES, "arguments": {}}
    assert (await system.api.post("/api/v1/grants", json=asked)).status_code == 201
    assert (await over("dry-run"))["rehearsed_calls"][0]["is_granted"]
    assert made(system, context) == []
    assert dry["deliveries"] == []
    shown = (await system.api.get(f"/api/v1/jobs/{job}")).json()
    assert (shown["run_count"], shown["last_run_at"]) == (0, None)
    assert (await over("run"))["status"] == "success"
    assert [one.how for one in made(system, context)] == ["ended"]


async def test_a_call_that_nobody_decides_upon_in_time_is_not_made(system: System) -> None:
    """A run waits for nobody for ever: the call counts as denied, and the run ends."""
    context, action = await a_parked_run(system)
    await system.world.sql(
        "UPDATE pending_actions SET expires_at = now() - interval '1 minute' WHERE id = :id",
        id=UUID(action["id"]),
    )
    run = await ended(system, action)
    assert (run["status"], run["attempt"]) == ("success", 2)
    assert made(system, context) == []
    assert [one["status"] for one in run["pending_actions"]] == ["expired"]


async def test_what_expires_while_everything_is_down_fails_where_that_was_said(system: System) -> None:
    """Nobody is there when the time is over; once they are back the run ends, and nothing of it is made."""
    context, action = await a_parked_run(system, approval_expiry_action="fail")
    assert action["expiry_action"] == "fail"
    services = ("gateway", "ticker", "ticker-2", "executor", "executor-2", "results", "notifier")
    for name in services:
        system.kill(name)
    await system.world.sql(
        "UPDATE pending_actions SET expires_at = now() - interval '1 minute' WHERE id = :id",
        id=UUID(action["id"]),
    )
    for name in services:
        system.start(name)
    await system.wait_ready()
    late = await system.api.post(f"/api/v1/approvals/{action['id']}/approve", json={})
    assert (late.status_code, "expired" in late.json()["detail"]) == (409, True)
    run = await ended(system, action)
    assert (run["status"], run["error_kind"], run["attempt"]) == ("error", "approval_expired", 2)
    assert made(system, context) == []
    assert [one["status"] for one in run["pending_actions"]] == ["expired"]


async def test_an_approved_call_that_was_interrupted_is_gone_on_after_by_a_persons_word(
    system: System,
) -> None:
    """I4: approved, then killed while it writes: the run goes on, and makes the call no second time."""
    context, action = await a_parked_run(system)
    system.kill("executor-2")
    edited = {"arguments": {"seconds": 30}}
    answer = await system.api.post(f"/api/v1/approvals/{action['id']}/approve", json=edited)
    assert answer.status_code == 200, answer.text

    async def writing() -> list[Execution]:
        return made(system, context)

    await eventually(writing, seconds=60, what="the approved call to begin")
    system.kill("executor")
    system.start("executor-2")
    interrupted = await ended(system, action)
    assert (interrupted["error_kind"], interrupted["attempt"]) == ("interrupted", 3)
    listed = await system.api.get("/api/v1/effects", params={"run_id": action["run_id"], "is_open": "true"})
    [call] = listed.json()["items"]
    assert call["arguments"] == {"seconds": 30}
    answer = await system.api.post(f"/api/v1/effects/{call['id']}/confirm", json={"note": "it is there"})
    assert answer.status_code == 200, answer.text

    async def over() -> bool:
        run = (await system.api.get(f"/api/v1/runs/{action['run_id']}")).json()
        return (run["status"], run["attempt"]) == ("success", 4)

    await eventually(over, seconds=60, what="the run to go on")
    assert [one.how for one in made(system, context)] == ["died"]
