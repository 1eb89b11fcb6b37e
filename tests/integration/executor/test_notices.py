"""What runs want people told: a row, then a hint."""

from typing import Any

from rota_contracts.codec import decode_payload
from rota_contracts.events import NotificationRequested
from tests.integration.executor.conftest import Stage
from tests.support.eventually import eventually

FROST = {"title": "Frost!\ntonight", "message": "Cover the tomatoes."}


async def test_a_notification_is_a_row_before_it_is_a_hint(stage: Stage) -> None:
    heard: list[NotificationRequested] = []

    async def hear(_subject: str, payload: bytes) -> None:
        event: Any = decode_payload(NotificationRequested.TYPE, payload)
        heard.append(event)

    await (await stage.world.bus("notifier")).listen("notification.requested.*.*", hear)
    async with stage.executor():
        event = await stage.due(tool="send_notification", arguments=FROST)
        completed = await stage.completed(event)

        async def told() -> bool:
            return bool(heard)

        await eventually(told, what="the hint")
    assert (completed.status, completed.content) == ("success", "it is on its way")
    [row] = await stage.world.sql("SELECT * FROM notification_requests")
    assert (row.title, row.body, row.run_id) == ("Frost! tonight", "Cover the tomatoes.", event.run_id)
    assert (heard[0].notification_id, heard[0].context_id) == (row.id, stage.context_id)


async def test_a_repeated_attempt_tells_nothing_twice(stage: Stage) -> None:
    async with stage.executor():
        first = await stage.due(tool="send_notification", arguments=FROST)
        await stage.completed(first)
        await stage.world.sql("DELETE FROM tool_effects")
        await stage.world.sql("UPDATE occurrences SET attempt = 2")
        await stage.completed(
            await stage.due(tool="send_notification", arguments=FROST, run_id=first.run_id, attempt=2)
        )
    assert await stage.world.value("SELECT count(*) FROM notification_requests") == 1


async def test_a_run_does_not_tell_without_end(stage: Stage) -> None:
    async with stage.executor():
        event = await stage.due(tool="send_notification", arguments=FROST, publish=False)
        await stage.world.sql(
            "INSERT INTO notification_requests (id, context_id, job_id, run_id, title, body)"
            " SELECT gen_random_uuid(), :c, :j, :r, 'x', '' FROM generate_series(1, 10)",
            c=stage.context_id,
            j=stage.job_id,
            r=event.run_id,
        )
        await stage.ticker.publish([event])
        completed = await stage.completed(event)
    assert (completed.status, completed.error_kind) == ("error", "tool_error")
    assert "has sent 10 notifications already" in (completed.error_message or "")
    # It was refused before anything was written.
    assert completed.final


async def test_it_asks_first_unless_its_link_says_more(stage: Stage) -> None:
    await stage.an_agent("scripted:calls:send_notification", tools=[{"tool_name": "send_notification"}])
    completed = await stage.ran()
    assert (completed.status, len(completed.pending_actions)) == ("partial", 1)
    assert await stage.world.value("SELECT count(*) FROM notification_requests") == 0
