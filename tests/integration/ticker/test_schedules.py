"""Every kind of schedule, lived through: what was due, in the ledger of a real ticker and in its events.

A job is made in the past and catches up with all of it; what becomes of its instants is then the same as if
the ticker had been there.
"""

from datetime import UTC, date, datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID

import pytest

from rota_contracts.events import JobClosed
from rota_contracts.ids import run_id_for
from rota_schedule import effective
from rota_ticker.handlers import Ticker
from tests.support.ticking import a_request, a_ticker, completed, dues, ledger, said
from tests.support.world import World

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
Row = tuple[str, str | None]


@pytest.fixture
async def ticker(world: World) -> Ticker:
    return await a_ticker(world)


async def a_past_job(world: World, created: datetime, **columns: Any) -> UUID:
    """Every instant since then is to run, as far as the definition lets it."""
    catching_up = {"catch_up_policy": "all", "catch_up_max_runs": 1000, "catch_up_window_seconds": 10**9}
    return await world.a_job(
        await world.a_context(max_concurrent_runs=1000),
        overlap_policy="allow",
        created_at=created,
        schedule_since=created,
        **(catching_up | columns),
    )


async def lived(ticker: Ticker) -> None:
    """Everything that is due by now is entered, and what there is room for is dispatched."""
    while (
        await ticker.plan()
        + await ticker.take_requests()
        + await ticker.fire()
        + await ticker.admit_waiting()
    ):
        pass


async def rows(world: World, job: UUID) -> list[Row]:
    """Instants in UTC, and why they did not run; a range as `first .. last (count)`."""
    return [
        (
            f"{row.scheduled_for:%m-%d %H:%M:%S}"
            + (f" .. {row.last_instant:%m-%d %H:%M:%S} ({row.instants})" if row.instants > 1 else ""),
            f"{row.disposition} {row.reason_code}" if row.disposition else None,
        )
        for row in await ledger(world, job_id=job)
    ]


async def runs_at(world: World, job: UUID) -> list[str]:
    found = await rows(world, job)
    assert all(why is None for _, why in found), found
    return [instant for instant, _ in found]


async def is_done(world: World, job: UUID) -> bool:
    """Whether nothing of it is due any more, and the ticker does not mind."""
    [timer] = await world.sql("SELECT * FROM job_timers WHERE job_id = :id", id=job)
    assert timer.error is None
    return timer.next_run_at is None and timer.wake_at is None


async def test_days_that_a_job_leaves_out_are_suppressed_with_the_reason(
    world: World, ticker: Ticker
) -> None:
    """By a date of its own and by one of a calendar; days are those of its zone."""
    job = await a_past_job(
        world,
        datetime(2025, 7, 1, tzinfo=UTC),
        cron_expression="0 */12 * * *",
        timezone="America/New_York",
        excluded_dates=(date(2025, 7, 2),),
        calendar_dates=(date(2025, 7, 3), date(2025, 7, 5)),
        end_at=datetime(2025, 7, 6, tzinfo=UTC),
    )
    await lived(ticker)
    assert await rows(world, job) == [
        ("07-01 04:00:00", None),
        ("07-01 16:00:00", None),
        ("07-02 04:00:00 .. 07-02 16:00:00 (2)", "suppressed excluded"),
        ("07-03 04:00:00 .. 07-03 16:00:00 (2)", "suppressed excluded"),
        ("07-04 04:00:00", None),
        ("07-04 16:00:00", None),
        ("07-05 04:00:00 .. 07-05 16:00:00 (2)", "suppressed excluded"),
    ]
    told = [event for event in await said(world) if isinstance(event, JobClosed)]
    assert {event.reason for event in told} == {"the job leaves this time out"}
    assert [event.instants for event in told] == [2, 2, 2]
    assert await is_done(world, job)


async def test_a_single_instant_that_was_skipped_is_suppressed_and_the_next_one_runs(
    world: World, ticker: Ticker
) -> None:
    job = await a_past_job(
        world,
        datetime(2025, 7, 1, tzinfo=UTC),
        cron_expression="0 9 * * *",
        excluded_instants=(datetime(2025, 7, 2, 9, tzinfo=UTC),),
        end_at=datetime(2025, 7, 4, tzinfo=UTC),
    )
    await lived(ticker)
    assert await rows(world, job) == [
        ("07-01 09:00:00", None),
        ("07-02 09:00:00", "suppressed excluded"),
        ("07-03 09:00:00", None),
    ]


async def test_what_is_due_before_paused_until_is_suppressed_in_one_row(world: World, ticker: Ticker) -> None:
    job = await a_past_job(
        world,
        datetime(2025, 7, 1, tzinfo=UTC),
        cron_expression="0 * * * *",
        paused_until=datetime(2025, 7, 1, 20, tzinfo=UTC),
        end_at=datetime(2025, 7, 1, 22, tzinfo=UTC),
    )
    await lived(ticker)
    assert await rows(world, job) == [
        ("07-01 01:00:00 .. 07-01 19:00:00 (19)", "suppressed paused"),
        ("07-01 20:00:00", None),
        ("07-01 21:00:00", None),
        ("07-01 22:00:00", None),
    ]


async def test_a_one_off_runs_once_and_its_job_is_done(world: World, ticker: Ticker) -> None:
    job = await a_past_job(
        world,
        datetime(2025, 7, 1, tzinfo=UTC),
        cron_expression="@at 2025-07-04T09:30",
        timezone="Europe/Berlin",
    )
    await lived(ticker)
    assert await runs_at(world, job) == ["07-04 07:30:00"]
    assert await is_done(world, job)
    [due] = await dues(world)
    await ticker.on_completed([completed(due)])
    await world.sql("UPDATE scheduled_jobs SET description = 'it was once' WHERE id = :id", id=job)
    await lived(ticker)
    assert [row.disposition for row in await ledger(world, job_id=job)] == ["ran"]
    assert await is_done(world, job)


async def test_a_one_off_may_still_be_run_by_hand_when_it_is_over(world: World, ticker: Ticker) -> None:
    job = await a_past_job(world, datetime(2025, 7, 1, tzinfo=UTC), cron_expression="@at 2025-07-04T09:30")
    await lived(ticker)
    context = await world.value("SELECT context_id FROM scheduled_jobs")
    run = await a_request(world, context, job)
    await lived(ticker)
    assert [due.run_id for due in await dues(world)][1:] == [run]


async def test_jitter_puts_off_the_run_and_both_instants_are_told(world: World, ticker: Ticker) -> None:
    """The row, the event and the timer know the nominal and the effective instant, always the same."""
    created = datetime(2025, 7, 1, tzinfo=UTC)
    job = await a_past_job(
        world, created, cron_expression="0 * * * *", jitter_seconds=1800, end_at=created + 20 * HOUR
    )
    coming = await a_past_job(world, datetime.now(UTC), cron_expression="0 0 1 1 *", jitter_seconds=80_000)
    await lived(ticker)
    entered = await ledger(world, job_id=job)
    assert [row.scheduled_for for row in entered] == [created + hour * HOUR for hour in range(1, 21)]
    assert all(row.effective_at == effective(job, row.scheduled_for, 1800) for row in entered)
    late = [row.effective_at - row.scheduled_for for row in entered]
    assert len(set(late)) > 10
    assert max(late) <= 30 * MINUTE
    events = {due.run_id: due for due in await dues(world)}
    assert {row.run_id: (row.scheduled_for, row.effective_at) for row in entered} == {
        run_id: (due.scheduled_for, due.effective_at) for run_id, due in events.items()
    }
    assert events.keys() == {run_id_for(job, row.scheduled_for) for row in entered}
    [timer] = await world.sql("SELECT * FROM job_timers WHERE job_id = :id", id=coming)
    assert timer.wake_at == effective(coming, timer.next_run_at, 80_000) != timer.next_run_at


async def test_an_instant_with_jitter_is_not_fired_before_its_time(world: World, ticker: Ticker) -> None:
    """Nominally due for minutes, really due in hours: the ticker sleeps, and says until when."""
    now = (await world.value("SELECT clock_timestamp()")).replace(microsecond=0)
    instant = now - 2 * MINUTE
    ids = (UUID(int=number) for number in count(1))
    job = next(one for one in ids if effective(one, instant, 36_000) > now + HOUR)
    cron = f"@at {instant:%Y-%m-%dT%H:%M:%S}"
    await a_past_job(world, instant - HOUR, id=job, cron_expression=cron, jitter_seconds=36_000)
    await lived(ticker)
    assert await ledger(world) == []
    [timer] = await world.sql("SELECT * FROM job_timers")
    assert (timer.next_run_at, timer.wake_at) == (instant, effective(job, instant, 36_000))


async def test_a_union_runs_at_the_instants_of_each_part_and_once_where_they_meet(
    world: World, ticker: Ticker
) -> None:
    job = await a_past_job(
        world,
        datetime(2025, 7, 3, tzinfo=UTC),
        cron_expression="0 9 * * *; 0 9,18 * * 5; @at 2025-07-04T12:34:56; @every 17h",
        start_at=datetime(2025, 7, 3, 0, 0, 1, tzinfo=UTC),
        end_at=datetime(2025, 7, 5, 12, tzinfo=UTC),
    )
    await lived(ticker)
    assert await runs_at(world, job) == [
        "07-03 00:00:01",
        "07-03 09:00:00",
        "07-03 17:00:01",
        "07-04 09:00:00",
        "07-04 10:00:01",
        "07-04 12:34:56",
        "07-04 18:00:00",
        "07-05 03:00:01",
        "07-05 09:00:00",
    ]


async def test_no_run_is_due_after_the_last_of_max_runs(world: World, ticker: Ticker) -> None:
    """What is left out does not count as a run, and nothing after the last run is in the ledger at all."""
    job = await a_past_job(
        world,
        datetime(2025, 7, 1, tzinfo=UTC),
        cron_expression="0 9 * * *",
        max_runs=3,
        excluded_dates=(date(2025, 7, 2), date(2025, 7, 6)),
    )
    await lived(ticker)
    assert await rows(world, job) == [
        ("07-01 09:00:00", None),
        ("07-02 09:00:00", "suppressed excluded"),
        ("07-03 09:00:00", None),
        ("07-04 09:00:00", None),
    ]
    assert await is_done(world, job)


async def test_bounds_are_part_of_the_schedule(world: World, ticker: Ticker) -> None:
    job = await a_past_job(
        world,
        datetime(2025, 7, 1, tzinfo=UTC),
        cron_expression="0 * * * *",
        start_at=datetime(2025, 7, 1, 10, tzinfo=UTC),
        end_at=datetime(2025, 7, 1, 12, tzinfo=UTC),
    )
    await lived(ticker)
    assert await runs_at(world, job) == ["07-01 10:00:00", "07-01 11:00:00", "07-01 12:00:00"]
    assert await is_done(world, job)


@pytest.mark.parametrize(
    ("zone", "cron", "rule", "expected"),
    [
        # 02:30 does not exist on 2025-03-30: the clock goes from 02:00 to 03:00, at 01:00 UTC.
        ("Europe/Berlin", "30 2 30 3 *", {"dst_gap": "shift"}, ["03-30 01:00:00"]),
        ("Europe/Berlin", "30 2 30 3 *", {"dst_gap": "skip"}, []),
        # 02:30 comes twice on 2025-10-26.
        ("Europe/Berlin", "30 2 26 10 *", {"dst_repeat": "first"}, ["10-26 00:30:00"]),
        ("Europe/Berlin", "30 2 26 10 *", {"dst_repeat": "both"}, ["10-26 00:30:00", "10-26 01:30:00"]),
        # Half an hour is skipped from 02:00 to 02:30, at 15:30 UTC of the day before.
        ("Australia/Lord_Howe", "15 2 5 10 *", {"dst_gap": "shift"}, ["10-04 15:30:00"]),
        ("Australia/Lord_Howe", "15 2 5 10 *", {"dst_gap": "skip"}, []),
        # And half an hour comes twice, from 01:30 to 02:00.
        ("Australia/Lord_Howe", "45 1 6 4 *", {"dst_repeat": "first"}, ["04-05 14:45:00"]),
        ("Australia/Lord_Howe", "45 1 6 4 *", {"dst_repeat": "both"}, ["04-05 14:45:00", "04-05 15:15:00"]),
    ],
)
async def test_a_change_of_the_clock_is_lived_by_the_rule_of_the_job(
    world: World, ticker: Ticker, zone: str, cron: str, rule: dict[str, Any], expected: list[str]
) -> None:
    """Of the year 2025."""
    job = await a_past_job(
        world,
        datetime(2024, 12, 31, tzinfo=UTC),
        cron_expression=cron,
        timezone=zone,
        end_at=datetime(2025, 12, 31, tzinfo=UTC),
        **rule,
    )
    await lived(ticker)
    assert await runs_at(world, job) == expected
    assert await is_done(world, job)


async def test_a_day_that_a_zone_left_out_is_accounted_for_by_the_rule_of_the_job(
    world: World, ticker: Ticker
) -> None:
    """Samoa went from the 29th to the 31st of December 2011, at 10:00 UTC on the 30th."""
    shifted, skipped = [
        await a_past_job(
            world,
            datetime(2011, 12, 28, tzinfo=UTC),
            cron_expression="0 9 * * *",
            timezone="Pacific/Apia",
            end_at=datetime(2011, 12, 31, 22, tzinfo=UTC),
            dst_gap=rule,
        )
        for rule in ("shift", "skip")
    ]
    await lived(ticker)
    assert await runs_at(world, skipped) == [
        "12-28 19:00:00",
        "12-29 19:00:00",
        "12-30 19:00:00",
        "12-31 19:00:00",
    ]
    assert await runs_at(world, shifted) == [
        "12-28 19:00:00",
        "12-29 19:00:00",
        "12-30 10:00:00",
        "12-30 19:00:00",
        "12-31 19:00:00",
    ]


async def test_an_interval_and_every_hour_follow_elapsed_time_over_a_change_of_the_clock(
    world: World, ticker: Ticker
) -> None:
    """23 hours in the day of the gap, 25 in that of the repeat; the interval never drifts."""
    midnight = datetime(2025, 3, 29, 23, tzinfo=UTC)
    hourly = await a_past_job(
        world,
        midnight,
        cron_expression="0 * * * *",
        timezone="Europe/Berlin",
        end_at=datetime(2025, 3, 30, 22, tzinfo=UTC),
    )
    repeat = datetime(2025, 10, 25, 22, tzinfo=UTC)
    again = await a_past_job(
        world,
        repeat,
        cron_expression="0 * * * *",
        timezone="Europe/Berlin",
        end_at=datetime(2025, 10, 26, 23, tzinfo=UTC),
    )
    every = await a_past_job(
        world,
        midnight,
        cron_expression="@every 100m",
        timezone="Europe/Berlin",
        end_at=midnight + 10 * HOUR,
    )
    await lived(ticker)
    assert len(await runs_at(world, hourly)) == 23
    assert len(await runs_at(world, again)) == 25
    instants = [row.scheduled_for for row in await ledger(world, job_id=every)]
    assert instants == [midnight + number * 100 * MINUTE for number in range(1, 7)]
