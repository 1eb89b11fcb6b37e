"""One full execution cycle, end to end: five processes, real servers, a scripted model."""

import re
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.support.eventually import eventually
from tests.support.mailbox import Mailbox
from tests.support.servers import Servers
from tests.support.system import System
from tests.support.world import World


@pytest.fixture(scope="module")
async def mailbox() -> AsyncIterator[Mailbox]:
    running = Mailbox()
    await running.open()
    yield running
    await running.close()


@pytest.fixture(scope="module")
async def system(
    servers: Servers, mailbox: Mailbox, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[System]:
    async with World.created(servers) as world:
        logs = tmp_path_factory.mktemp("logs")
        async with System.running(
            world, logs, NOTIFIER_SMTP_URL=mailbox.url, GATEWAY_AUDIT_INTERVAL_SECONDS="1"
        ) as running:
            yield running


async def bell(system: System, context: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = (await system.get("/notifications"))["items"]
    return [item for item in items if item["context_id"] == context]


async def test_one_full_execution_cycle_end_to_end(system: System, mailbox: Mailbox) -> None:
    """A job made over HTTP fires at its instant, runs, is recorded, told and closed."""
    await system.world.an_agent(
        name="scribe",
        model="scripted:calls:machine_memory",
        tools=[
            {"tool_name": "machine_memory", "mode": "model"},
        ],
    )
    context = await system.a_context("Cycle")
    job = await system.a_job(
        context,
        name="Every minute",
        cron_expression="* * * * *",
        agent_name="scribe",
        notification_channel="email",
        notification_target="ada@example.org",
    )
    assert job["next_run_at"] is not None

    async def first_run() -> str | None:
        runs = (await system.get(f"/runs?job_id={job['id']}"))["items"]
        return str(runs[0]["run_id"]) if runs else None

    run_id = await eventually(first_run, seconds=90, what="the first scheduled run") or ""
    run = await system.a_result(run_id)
    assert (run["status"], run["trigger"], run["agent_name"]) == ("success", "schedule", "scribe")
    assert run["result_content"].startswith("memory ")
    assert run["scheduled_for"] == job["next_run_at"]
    due, started = (datetime.fromisoformat(run[name]) for name in ("scheduled_for", "started_at"))
    assert timedelta(0) <= started - due < timedelta(seconds=5)
    messages = (await system.get(f"/conversations/{run['session_id']}"))["messages"]
    assert {message["role"] for message in messages} >= {"user", "assistant", "tool"}

    async def told() -> bool:
        return bool(mailbox.messages)

    await eventually(told, what="the email")
    assert mailbox.messages[0]["Subject"] == "[Scheduler] Every minute completed successfully"
    [notification] = await bell(system, context)
    assert notification["title"] == "Every minute completed successfully"

    async def closed() -> bool:
        rows = (await system.get(f"/jobs/{job['id']}/occurrences"))["items"]
        return bool(rows and rows[-1]["disposition"] == "ran")

    await eventually(closed, what="the occurrence to be closed")
    fresh = await system.get(f"/jobs/{job['id']}")
    assert (fresh["run_count"], fresh["error_count"], fresh["last_run_status"]) == (1, 0, "success")
    assert fresh["next_run_at"] > job["next_run_at"]


async def test_what_goes_wrong_is_a_result_that_a_person_understands(system: System) -> None:
    """Agent not found, a model that fails, a timeout of tools: each an error result with the reason."""
    context = await system.a_context("Errors")
    job = await system.a_job(context, agent_name="nobody")
    run = await system.a_result((await system.post(f"/jobs/{job['id']}/run", status=202))["run_id"])
    assert (run["status"], run["error_kind"]) == ("error", "agent_not_found")
    assert "nobody" in run["error_message"]

    await system.world.an_agent(name="unlucky", model="scripted:fail")
    job = await system.a_job(context, name="Unlucky", agent_name="unlucky")
    run = await system.a_result((await system.post(f"/jobs/{job['id']}/run", status=202))["run_id"])
    assert (run["status"], run["error_kind"]) == ("error", "model_error")
    assert (await system.get(f"/jobs/{job['id']}"))["status"] == "error"

    await system.world.an_agent(name="nowhere", model="local:smollm2")
    job = await system.a_job(context, name="Nowhere", agent_name="nowhere")
    run = await system.a_result((await system.post(f"/jobs/{job['id']}/run", status=202))["run_id"])
    assert run["status"] == "error"
    assert "EXECUTOR_LOCAL_MODEL_URL" in run["error_message"]

    async def told() -> bool:
        return [item["category"] for item in await bell(system, context)] == ["error"] * 3

    await eventually(told, what="three notifications")


async def test_a_tool_that_must_be_asked_for_is_not_run_and_asks(system: System) -> None:
    """The run is partial, the action waits, and the bell says so apart from the result."""
    await system.world.an_agent(
        name="careful",
        model="scripted:calls:machine_load",
        tools=[
            {"tool_name": "machine_load", "mode": "model", "policy": "ask"},
        ],
    )
    context = await system.a_context("Approvals")
    job = await system.a_job(context, agent_name="careful")
    run = await system.a_result((await system.post(f"/jobs/{job['id']}/run", status=202))["run_id"])
    assert (run["status"], run["pending_actions_created"]) == ("partial", 1)
    assert [action["tool_name"] for action in run["pending_actions"]] == ["machine_load"]

    async def told_twice() -> bool:
        return {item["category"] for item in await bell(system, context)} == {"success", "approval_needed"}

    await eventually(told_twice, what="both notifications")


async def test_a_paused_job_does_not_run_and_a_deleted_one_leaves_its_results(system: System) -> None:
    """Toggle clears the next run and refuses run now; delete keeps what was recorded."""
    await system.world.an_agent(name="noop", model="scripted:noop")
    context = await system.a_context("Pauses")
    job = await system.a_job(context, agent_name="noop")
    run_id = (await system.post(f"/jobs/{job['id']}/run", status=202))["run_id"]
    await system.a_result(run_id)
    paused = await system.post(f"/jobs/{job['id']}/toggle", {"reason": "holidays"}, status=200)
    assert (paused["is_enabled"], paused["next_run_at"], paused["status"]) == (False, None, "paused")
    refused = await system.post(f"/jobs/{job['id']}/run", status=409)
    assert "paused" in refused["detail"].lower() or "disabled" in refused["detail"].lower()
    assert (await system.api.delete(f"/api/v1/jobs/{job['id']}")).status_code == 204
    assert (await system.get(f"/runs/{run_id}"))["status"] == "success"
    assert (await system.api.get(f"/api/v1/jobs/{job['id']}")).status_code == 404


async def test_a_row_that_is_gone_from_the_ledger_shows_on_metrics(system: System) -> None:
    """One instant was due ten minutes ago; its row is deleted by hand, and later put back."""
    world = system.world
    due = await world.value("SELECT date_trunc('minute', clock_timestamp())") - timedelta(minutes=10)
    job = await world.a_job(
        await world.a_context(),
        cron_expression=f"{due.minute} * * * *",
        catch_up_policy="skip",
        created_at=due - timedelta(minutes=10),
        schedule_since=due - timedelta(minutes=10),
    )

    async def accounted() -> bool:
        return bool(await world.sql("SELECT 1 FROM occurrences WHERE job_id = :id", id=job))

    async def gauges() -> dict[str, float]:
        page = (await system.api.get("/metrics")).text
        return {
            name: float(value) for name, value in re.findall(r"^rota_ledger_(\w+) (\S+)$", page, re.MULTILINE)
        }

    async def told(instants: int) -> None:
        """By an audit that ended after now."""
        asked = (await world.value("SELECT clock_timestamp()")).timestamp()

        async def is_told() -> bool:
            now = await gauges()
            is_new = now["audit_completed_timestamp_seconds"] > asked
            return is_new and now["unaccounted_instants"] == instants

        await eventually(is_told, seconds=60, what=f"{instants} on /metrics", every=0.1)

    await eventually(accounted, what="the row")
    await told(0)
    [row] = await world.sql("DELETE FROM occurrences WHERE job_id = :id RETURNING *", id=job)
    await told(1)
    [line, *_] = system.said("ledger_differs", job_id=str(job))
    assert line["instants"] == [f"{due.isoformat()} is in no row"]
    columns = dict(row)
    names, places = ", ".join(columns), ", ".join(f":{name}" for name in columns)
    await world.sql(f"INSERT INTO occurrences ({names}) VALUES ({places})", **columns)
    await told(0)
