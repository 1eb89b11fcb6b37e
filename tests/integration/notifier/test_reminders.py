"""People are reminded once of what waits for them, while there is still time."""

import asyncio
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from rota_notifier.handlers import Teller
from tests.integration.notifier.test_notifier import a_mailed_job, a_teller
from tests.support.world import World


async def waiting(
    world: World, *calls: str, expiry_action: str = "deny", due: timedelta = timedelta(0)
) -> UUID:
    """A parked run of a job, of whose calls people are to be reminded by then."""
    context, job = await a_mailed_job(world)
    run = uuid4()
    await world.sql(
        """
        INSERT INTO agent_execution_results
            (run_id, context_id, schedule_id, job_name, agent_name, prompt, status, execution_duration_ms,
             attempt, trigger, session_id, scheduled_for, started_at, completed_at)
        VALUES (:run, :context, :job, 'Morning', 'b', 'c', 'partial', 1, 1,
                'manual', :run, now(), now(), now())
        """,
        run=run,
        context=context,
        job=job,
    )
    for call in calls:
        await world.sql(
            "INSERT INTO pending_actions (context_id, run_id, tool_call_id, tool_name, remind_at, expires_at,"
            " expiry_action) VALUES (:context, :run, :call, 'send', now() + CAST(:due AS interval),"
            " '2999-01-01 12:00Z', :action)",
            context=context,
            run=run,
            call=call,
            due=due,
            action=expiry_action,
        )
    return run


async def told(world: World) -> list[tuple[str, ...]]:
    rows = await world.sql("SELECT title, body FROM notifications WHERE category = 'approval_reminder'")
    return [tuple(row) for row in rows]


async def test_a_reminder_says_what_waits_until_when_and_what_then(world: World) -> None:
    await waiting(world, "a", "b", expiry_action="fail")
    assert await (await a_teller(world)).remind() == 1
    [(title, body)] = await told(world)
    assert title == "Morning still waits for 2 approvals"
    assert body == "Tools: send. If nobody decides until 2999-01-01 12:00 UTC, the run fails."
    assert await world.value("SELECT state FROM deliveries") == "suppressed"


async def test_it_is_told_once_also_by_two_at_once_and_after_a_restart(world: World) -> None:
    await waiting(world, "a")
    tellers: list[Teller] = [await a_teller(world) for _ in range(3)]
    assert sum(await asyncio.gather(*(teller.remind() for teller in tellers))) == 1
    assert await (await a_teller(world)).sweep() == 0
    assert len(await told(world)) == 1


@pytest.mark.parametrize("change", ["not due", "decided", "too late", "settled", "job gone"])
async def test_of_what_needs_nobody_any_more_nobody_is_reminded(world: World, change: str) -> None:
    run = await waiting(world, "a", due=timedelta(hours=1 if change == "not due" else 0))
    if change == "decided":
        await world.sql(
            "INSERT INTO approval_decisions (action_id, run_id, context_id, decision)"
            " SELECT id, run_id, context_id, 'approved' FROM pending_actions"
        )
    elif change == "too late":
        await world.sql("UPDATE pending_actions SET expires_at = now()")
    elif change == "settled":
        await world.sql("UPDATE pending_actions SET status = 'denied' WHERE run_id = :r", r=run)
    elif change == "job gone":
        await world.sql("DELETE FROM scheduled_jobs")
    assert await (await a_teller(world)).remind() == 0
    assert await told(world) == []
