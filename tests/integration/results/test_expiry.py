"""How long a call waits: as its job says, else its agent, else the setting."""

from datetime import timedelta
from typing import Any

import pytest

from rota_contracts.values import PendingAction
from tests.integration.results.test_results import a_recorder
from tests.support.completions import a_completion
from tests.support.world import World

CALL = PendingAction(tool_call_id="a", tool_name="send_mail", arguments={})
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


@pytest.mark.parametrize(
    ("job", "agent", "expiry", "action", "left_to_decide"),
    [
        ({}, {}, DAY, "deny", HOUR),
        (
            {},
            {"approval_expiry_seconds": 600, "approval_expiry_action": "fail"},
            10 * MINUTE,
            "fail",
            5 * MINUTE,
        ),
        ({"approval_expiry_action": "deny"}, {"approval_expiry_action": "fail"}, DAY, "deny", HOUR),
        (
            {"approval_expiry_seconds": 5400},
            {"approval_expiry_seconds": 60},
            90 * MINUTE,
            "deny",
            45 * MINUTE,
        ),
    ],
)
async def test_a_call_waits_as_long_as_its_job_says_or_its_agent(
    world: World,
    job: dict[str, Any],
    agent: dict[str, Any],
    expiry: timedelta,
    action: str,
    left_to_decide: timedelta,
) -> None:
    """What its context's own agent says goes before the one for every context."""
    context = await world.a_context()
    await world.an_agent(context_id=context, **agent)
    await world.an_agent(approval_expiry_seconds=77, approval_expiry_action="fail")
    event = a_completion(context, await world.a_job(context, **job), status="partial", pending_actions=[CALL])
    await (await a_recorder(world)).on_job_completed([event])
    [row] = await world.sql(
        "SELECT expires_at - remind_at AS left, expires_at - clock_timestamp() AS ahead, expiry_action"
        " FROM pending_actions"
    )
    assert (row.left, row.expiry_action) == (left_to_decide, action)
    assert expiry - MINUTE < row.ahead <= expiry
