"""What blocks runs is told once, for however many."""

from datetime import UTC, datetime, timedelta
from typing import Any

from tests.integration.notifier.test_notifier import a_teller
from tests.support.attempts import an_ended_attempt
from tests.support.completions import a_completion
from tests.support.world import World


async def test_what_blocks_many_runs_is_told_once_a_day_and_context(world: World) -> None:
    teller = await a_teller(world)
    contexts = [await world.a_context(), await world.a_context()]
    blocked: dict[str, Any] = {
        "status": "error",
        "error_kind": "blocked",
        "error_message": "The provider refused the key.",
        "error_cause": "key of openai",
    }
    today = datetime(2026, 11, 22, 23, 59, tzinfo=UTC)
    days = [today, today, today - timedelta(hours=1), today + timedelta(minutes=1)]
    events = [
        a_completion(context, await world.a_job(context), completed_at=at, **blocked)
        for context in contexts
        for at in days
    ]
    # What came too late, or never came, is found by the sweep; and is not told either.
    for event in events:
        await an_ended_attempt(world, event)
    assert await teller.on_job_completed(events[:3]) == 1
    await world.sql("UPDATE run_attempts SET ended_at = clock_timestamp() - interval '1 minute'")
    assert await teller.sweep() == 3
    assert await teller.sweep() == 0
    rows = await world.sql("SELECT context_id, title, body, cause FROM notifications ORDER BY cause")
    assert [(row.context_id, row.cause) for row in rows if row.context_id == contexts[0]] == [
        (contexts[0], "key of openai/2026-11-22"),
        (contexts[0], "key of openai/2026-11-23"),
    ]
    assert len(rows) == 4
    assert rows[0].title == "Morning check is blocked"
    assert rows[0].body == "The provider refused the key. Other runs that this blocks today are not told of."
