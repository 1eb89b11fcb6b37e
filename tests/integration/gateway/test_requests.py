"""Backfills and cancellations: rows that the ticker finds, once each."""

import asyncio
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from rota_bus import Bus
from rota_contracts.codec import decode_payload
from rota_contracts.events import RunCancel, RunRequested
from rota_contracts.ids import backfill_run_id_for
from tests.integration.gateway.conftest import Person
from tests.integration.gateway.test_tenants import a_run
from tests.support.world import World

WEEK = {"start": "2026-01-05T00:00:00Z", "end": "2026-01-11T23:59:59Z"}


async def heard_of(bus: Bus, subject: str) -> "asyncio.Queue[bytes]":
    heard: asyncio.Queue[bytes] = asyncio.Queue()

    async def hear(_: str, payload: bytes) -> None:
        await heard.put(payload)

    await bus.listen(subject, hear)
    return heard


async def test_a_backfill_asks_for_each_instant_once(person: Person, world: World, ticker_bus: Bus) -> None:
    job = await person.job(await person.context(), excluded_dates=["2026-01-06"])
    heard = await heard_of(ticker_bus, "run.requested.*.*")
    path = f"/jobs/{job['id']}/backfill"
    run_ids = (await person.post(path, WEEK, status=202))["run_ids"]
    instants = [datetime(2026, 1, day, 7, 30, tzinfo=UTC) for day in (5, 7, 8, 9)]
    assert run_ids == [str(backfill_run_id_for(UUID(job["id"]), instant)) for instant in instants]
    event = decode_payload(RunRequested.TYPE, await asyncio.wait_for(heard.get(), 15))
    assert isinstance(event, RunRequested)
    assert str(event.run_id) in run_ids
    assert (await person.post(path, WEEK, status=202))["run_ids"] == run_ids
    longer = {**WEEK, "end": "2026-01-12T07:30:00Z", "overlap_policy": "allow"}
    assert (await person.post(path, longer, status=202))["run_ids"][:4] == run_ids
    stored = await world.sql(
        "SELECT scheduled_for, trigger, overlap_policy, requested_by FROM run_requests ORDER BY scheduled_for"
    )
    assert [tuple(one) for one in stored] == [
        *((instant, "backfill", "queue", person.id) for instant in instants),
        (datetime(2026, 1, 12, 7, 30, tzinfo=UTC), "backfill", "allow", person.id),
    ]
    run = await person.get(f"/runs/{run_ids[0]}")
    assert (run["state"], run["trigger"], run["scheduled_for"]) == (
        "queued",
        "backfill",
        "2026-01-05T07:30:00Z",
    )


async def test_a_backfill_leaves_out_what_ran_on_schedule_unless_it_is_to_run_again(
    person: Person, world: World
) -> None:
    job = await person.job(await person.context())
    job_id = UUID(job["id"])
    well, badly, waiting, missed = (datetime(2026, 1, day, 7, 30, tzinfo=UTC) for day in (5, 6, 7, 8))
    ended = {"state": "closed", "disposition": "ran", "closed_at": datetime(2026, 1, 9, tzinfo=UTC)}
    failed, _, _ = await a_run(world, job["context_id"], job["id"])
    await world.sql("UPDATE agent_execution_results SET status = 'error' WHERE run_id = :id", id=UUID(failed))
    rows: list[dict[str, Any]] = [
        {"scheduled_for": well, **ended},
        {"scheduled_for": badly, **ended, "run_id": UUID(failed)},
        {"scheduled_for": waiting, "state": "queued"},
        {"scheduled_for": missed, **ended, "disposition": "missed"},
    ]
    for row in rows:
        await world.an_occurrence(job_id, trigger="schedule", **row)
    friday = datetime(2026, 1, 9, 7, 30, tzinfo=UTC)
    expected = [
        ("all", [well, badly, waiting, missed, friday], 0),
        ("failed", [badly, missed, friday], 2),
        ("none", [missed, friday], 3),
    ]
    for reprocess, instants, left_out in expected:
        answer = await person.post(f"/jobs/{job_id}/backfill", {**WEEK, "reprocess": reprocess}, status=202)
        ids = [str(backfill_run_id_for(job_id, instant)) for instant in instants]
        assert answer == {"run_ids": ids, "left_out": left_out}


async def test_a_paused_job_can_be_backfilled(person: Person) -> None:
    job = await person.job(await person.context(), is_enabled=False)
    assert len((await person.post(f"/jobs/{job['id']}/backfill", WEEK, status=202))["run_ids"]) == 5


async def test_a_backfill_that_cannot_be_names_the_field_and_the_number(person: Person, world: World) -> None:
    context = await person.context()
    job = await person.job(context, cron_expression="* * * * *", excluded_dates=["2026-02-01"])
    refused: list[tuple[dict[str, Any], str, str]] = [
        ({"start": WEEK["start"]}, "end", "required"),
        ({"start": WEEK["end"], "end": WEEK["start"]}, "end", "before start"),
        ({**WEEK, "end": "2999-01-01T00:00:00Z"}, "end", "future"),
        (WEEK, "end", "10080 instants"),
        ({"start": "2026-01-05T00:00:01Z", "end": "2026-01-05T00:00:59Z"}, "start", "no instant"),
        ({"start": "2026-02-01T00:00:00Z", "end": "2026-02-01T00:10:00Z"}, "start", "excluded"),
        ({**WEEK, "overlap_policy": "cancel_other"}, "overlap_policy", "queue"),
        ({**WEEK, "start": "monday"}, "start", "written like"),
    ]
    for body, field, words in refused:
        problem = await person.post(f"/jobs/{job['id']}/backfill", body, status=422)
        assert [error["field"] for error in problem["errors"]] == [field], body
        assert words in problem["errors"][0]["message"], problem
    assert await world.value("SELECT count(*) FROM run_requests") == 0
    exactly = {"start": "2026-01-05T00:00:00Z", "end": "2026-01-05T16:39:00Z"}
    assert len((await person.post(f"/jobs/{job['id']}/backfill", exactly, status=202))["run_ids"]) == 1000


async def test_a_run_is_cancelled_where_the_ledger_has_it_or_by_its_request(
    person: Person, world: World, ticker_bus: Bus
) -> None:
    job = await person.job(await person.context())
    heard = await heard_of(ticker_bus, "run.cancel.*.*")
    await world.sql("UPDATE users SET display_name = 'Ada' WHERE id = :id", id=person.id)
    at = datetime(2026, 1, 5, 7, 30, tzinfo=UTC)
    in_ledger = await world.an_occurrence(UUID(job["id"]), state="queued", scheduled_for=at)
    answer = await person.post(f"/runs/{in_ledger}/cancel", {"reason": "too late "}, status=202)
    assert answer == {"run_id": str(in_ledger)}
    event = decode_payload(RunCancel.TYPE, await asyncio.wait_for(heard.get(), 15))
    assert isinstance(event, RunCancel)
    assert (event.run_id, event.requested_by) == (in_ledger, person.id)
    await person.post(f"/runs/{in_ledger}/cancel", {"reason": "again"}, status=202)
    asked = UUID((await person.post(f"/jobs/{job['id']}/run", status=202))["run_id"])
    await person.post(f"/runs/{asked}/cancel", status=202)
    asked_at = await world.value("SELECT created_at FROM run_requests")
    stored = await world.sql(
        "SELECT run_id, scheduled_for, reason, requested_by FROM run_cancellations ORDER BY created_at"
    )
    assert [tuple(one) for one in stored] == [
        (in_ledger, at, "cancelled by Ada: too late", person.id),
        (asked, asked_at, "cancelled by Ada", person.id),
    ]


async def test_what_has_ended_cannot_be_cancelled(person: Person, world: World) -> None:
    context = await person.context()
    job = await person.job(context)
    run_id, _, _ = await a_run(world, context, job["id"])
    skipped = await world.an_occurrence(
        UUID(job["id"]), state="closed", disposition="skipped", reason="busy", closed_at=datetime.now(UTC)
    )
    await person.post(f"/runs/{run_id}/cancel", status=409)
    refused = await person.post(f"/runs/{skipped}/cancel", status=409)
    assert "skipped: busy" in refused["detail"]
    for unknown in (uuid4(), "no-id"):
        await person.post(f"/runs/{unknown}/cancel", status=404)
    await person.post(f"/runs/{run_id}/cancel", {"reason": 1}, status=422)
    assert await world.value("SELECT count(*) FROM run_cancellations") == 0


async def test_a_dry_run_is_asked_for_also_while_the_job_is_paused(
    person: Person, world: World, ticker_bus: Bus
) -> None:
    job = await person.job(await person.context(), is_enabled=False)
    heard = await heard_of(ticker_bus, "run.requested.*.*")
    asked = await person.post(f"/jobs/{job['id']}/dry-run", status=202)
    [row] = await world.sql("SELECT run_id, trigger, overlap_policy, prompt_context FROM run_requests")
    assert tuple(row) == (UUID(asked["run_id"]), "dry_run", "allow", "")
    event = decode_payload(RunRequested.TYPE, await asyncio.wait_for(heard.get(), 15))
    assert isinstance(event, RunRequested)
    assert str(event.run_id) == asked["run_id"]


async def test_a_run_that_was_dry_shows_what_it_would_have_called(person: Person, world: World) -> None:
    context = await person.context()
    run_id, _, _ = await a_run(world, context, (await person.job(context))["id"])
    assert (await person.get(f"/runs/{run_id}"))["rehearsed_calls"] == []
    await world.sql(
        """
        UPDATE agent_execution_results SET trigger = 'dry_run', metadata = '{"rehearsed_calls": [{
            "tool_name": "send", "arguments": {"to": "ann"}, "effect": "write", "policy": "ask",
            "is_granted": false, "is_made": false}]}'
        """
    )
    run = await person.get(f"/runs/{run_id}")
    assert (run["trigger"], [one["tool_name"] for one in run["rehearsed_calls"]]) == ("dry_run", ["send"])
