"""Cursors, rates, hints and job states, without servers."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rota_gateway.api.fields import is_email
from rota_gateway.domain.jobs import job_status, next_run_at
from rota_gateway.edge.paging import decode, encode
from rota_gateway.edge.rate import MAX_ADDRESSES, WINDOW_SECONDS, FailureLimit
from rota_gateway.errors import InvalidError, TooManyRequestsError
from rota_gateway.live import MAX_PENDING, Hint, Hub, parse

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@given(st.datetimes(timezones=st.just(UTC)), st.uuids())
def test_a_cursor_comes_back_as_it_was_made(instant: datetime, identity: UUID) -> None:
    assert decode(encode((instant, identity))) == (instant, identity)


@given(st.text())
def test_no_text_but_a_cursor_is_taken_for_one(text: str) -> None:
    with pytest.raises(InvalidError, match="cursor"):
        decode(text)


def test_failures_are_forgiven_after_the_window() -> None:
    now = 0.0
    limit = FailureLimit(2, clock=lambda: now)
    limit.record("a")
    limit.check("a")
    limit.record("a")
    with pytest.raises(TooManyRequestsError):
        limit.check("a")
    limit.check("b")
    now = WINDOW_SECONDS
    limit.check("a")


def test_failures_are_remembered_of_a_bounded_number_of_addresses() -> None:
    limit = FailureLimit(1)
    for number in range(MAX_ADDRESSES + 1):
        limit.record(str(number))
    limit.check("0")
    with pytest.raises(TooManyRequestsError):
        limit.check("1")


def test_a_subject_names_what_changed() -> None:
    context, job = uuid4(), uuid4()
    assert parse(f"job.started.{context}.{job}") == Hint("job.started", context, job)
    assert parse(f"notification.sent.{context}") == Hint("notification.sent", context, None)
    assert parse("job.started.x.y") is None
    assert parse("job") is None


async def test_a_listener_that_never_reads_costs_a_bounded_amount() -> None:
    hub = Hub()
    context = uuid4()
    async with hub.listening() as listener:
        for _ in range(3 * MAX_PENDING):
            await hub.on_message(f"job.started.{context}.{uuid4()}", b"")
        hints = await listener.take(1)
    assert len(hints) == MAX_PENDING + 1
    assert hints[-1] == Hint("changed", context, None)


async def test_the_end_of_the_hub_ends_the_waiting() -> None:
    hub = Hub()
    async with hub.listening() as listener:
        waiting = asyncio.create_task(listener.take(60))
        await asyncio.sleep(0)
        hub.close()
        assert await asyncio.wait_for(waiting, 15) == []
        await asyncio.wait_for(hub.pause(60), 15)


def a_job(**changes: Any) -> dict[str, Any]:
    job: dict[str, Any] = {
        "is_enabled": True,
        "is_running": False,
        "last_run_status": None,
        "schedule_error": None,
        "is_planned": False,
        "next_run_at": None,
        "cron_expression": "0 13 * * *",
        "timezone": "UTC",
        "dst_gap": "shift",
        "dst_repeat": "first",
        "seconds_field": False,
        "start_at": None,
        "end_at": None,
        "max_runs": None,
        "runs": None,
        "excluded_dates": [],
        "calendar_dates": [],
        "excluded_instants": [],
        "paused_until": None,
        "is_paused_by_ticker": False,
        "created_at": NOW,
    }
    return job | changes


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({}, "active"),
        ({"last_run_status": "success"}, "active"),
        ({"last_run_status": "error"}, "error"),
        ({"schedule_error": "never due"}, "error"),
        ({"last_run_status": "error", "is_running": True}, "running"),
        ({"is_enabled": False, "is_running": True}, "paused"),
        ({"is_paused_by_ticker": True}, "paused"),
        ({"paused_until": NOW + timedelta(seconds=1)}, "paused"),
        ({"paused_until": NOW}, "active"),
    ],
)
def test_the_status_of_a_job_says_the_most_important(changes: dict[str, Any], status: str) -> None:
    assert job_status(a_job(**changes), NOW) == status


def test_the_next_run_is_the_plan_or_else_computed() -> None:
    one_o_clock = datetime(2026, 3, 1, 13, tzinfo=UTC)
    planned = datetime(2026, 3, 1, 14, tzinfo=UTC)
    assert next_run_at(a_job(), NOW) == one_o_clock
    assert next_run_at(a_job(is_planned=True, next_run_at=planned), NOW) == planned
    assert next_run_at(a_job(is_enabled=False), NOW) is None
    assert next_run_at(a_job(cron_expression="no cron"), NOW) is None
    assert next_run_at(a_job(is_paused_by_ticker=True, is_planned=True, next_run_at=planned), NOW) is None
    assert next_run_at(a_job(max_runs=2, runs=2), NOW) is None


def test_the_next_run_is_after_what_is_left_out() -> None:
    second, third = datetime(2026, 3, 2, 13, tzinfo=UTC), datetime(2026, 3, 3, 13, tzinfo=UTC)
    assert next_run_at(a_job(excluded_dates=[date(2026, 3, 1)]), NOW) == second
    both = {"calendar_dates": [date(2026, 3, 1)], "excluded_instants": [second]}
    assert next_run_at(a_job(**both), NOW) == third
    assert next_run_at(a_job(paused_until=second), NOW) == second
    every_second = a_job(cron_expression="* * * * * *", seconds_field=True, timezone="Europe/Berlin")
    left_out = every_second | {"excluded_dates": [date(2026, 3, 1)]}
    assert next_run_at(left_out, NOW) == datetime(2026, 3, 1, 23, tzinfo=UTC)


@pytest.mark.parametrize("address", ["a@b.org", "a.b+c@d-e.example.org", "admin@localhost"])
def test_an_address_is_an_email_address(address: str) -> None:
    assert is_email(address)
