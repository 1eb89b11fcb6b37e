"""Whole lives of jobs: whatever happens, each due instant is accounted for exactly once."""

from datetime import date, datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from rota_ticker.domain.jobs import Standing
from tests.unit.schedule.reference import ODD_ZONES, changes
from tests.unit.ticker.building import a_clockwork, a_job
from tests.unit.ticker.history import History, check_verdicts

SCHEDULES = [
    "* * * * *",
    "*/7 * * * *",
    "30 * * * *",
    "0 */2 * * *",
    "15 0,1,2,3,23 * * *",
    "30 2 * * *",
    "0 0 * * *",
    "0 9 * * 1-5",
    "@every 95s",
    "@every 36h",
    "@hourly; 30 2 * * *; @every 5h",
    "*/20 * * * * *",
    "*/5 0 1,2 * * *",
]
NEAR = st.sampled_from([0, 0, 1, 59, 60, 61, 600, 3600, 7200, 86_400, 200_000]).flatmap(
    lambda seconds: st.integers(seconds, seconds + seconds // 2)
)
# Punctual looks, late ones, and a clock that is set back.
STEPS = st.one_of(NEAR, NEAR, NEAR, st.integers(-8000, -1)).map(lambda seconds: timedelta(seconds=seconds))


@st.composite
def beginnings(draw: st.DrawFn) -> datetime:
    zone = draw(st.sampled_from(ODD_ZONES))
    change = draw(st.sampled_from(changes(zone)))
    return change + timedelta(
        seconds=draw(st.integers(-100_000, 20_000)),
        microseconds=draw(st.sampled_from([0, 1, 500_000, 999_999])),
    )


@st.composite
def definitions(draw: st.DrawFn, begin: datetime) -> dict[str, Any]:
    """What a person may write, around a beginning."""

    def maybe(strategy: st.SearchStrategy[Any], otherwise: Any) -> Any:
        return draw(st.one_of(st.just(otherwise), st.just(otherwise), strategy))

    instants = st.integers(-50_000, 400_000).map(lambda s: begin + timedelta(seconds=s))
    days = st.lists(st.integers(-1, 5), max_size=3, unique=True).map(
        lambda numbers: tuple(date.fromordinal(begin.toordinal() + number) for number in numbers)
    )
    full_minutes = instants.map(lambda one: one.replace(second=0, microsecond=0))
    start_at = maybe(instants, None)
    end_at = maybe(instants, None)
    if start_at and end_at and end_at < start_at:
        start_at, end_at = end_at, start_at
    return {
        "cron_expression": draw(st.sampled_from(SCHEDULES)),
        "seconds_field": True,
        "timezone": draw(st.sampled_from(ODD_ZONES)),
        "dst_gap": draw(st.sampled_from(["shift", "skip"])),
        "dst_repeat": draw(st.sampled_from(["first", "both"])),
        "start_at": start_at,
        "end_at": end_at,
        "max_runs": maybe(st.integers(1, 6), None),
        "jitter_seconds": maybe(st.sampled_from([1, 30, 200, 5000]), 0),
        "excluded_dates": maybe(days, ()),
        "calendar_dates": maybe(days, ()),
        "excluded_instants": maybe(st.lists(full_minutes, max_size=3).map(tuple), ()),
        "paused_until": maybe(instants, None),
        "catch_up_policy": draw(st.sampled_from(["latest", "all", "skip"])),
        "catch_up_window_seconds": draw(st.sampled_from([0, 60, 3600, 100_000])),
        "catch_up_max_runs": draw(st.sampled_from([1, 3, 100])),
        "overlap_policy": draw(st.sampled_from(["skip", "buffer_one", "allow", "cancel_other"])),
    }


@st.composite
def partial_definitions(draw: st.DrawFn, begin: datetime) -> dict[str, Any]:
    whole = draw(definitions(begin))
    names = draw(st.lists(st.sampled_from(sorted(whole)), min_size=1, max_size=4, unique=True))
    if {"start_at", "end_at"} & {*names}:  # only both together are sure to be a window
        names = [*{*names} | {"start_at", "end_at"}]
    return {name: whole[name] for name in names}


@settings(max_examples=400)
@given(st.data())
def test_each_due_instant_of_a_whole_life_is_accounted_for_exactly_once(data: st.DataObject) -> None:
    begin = data.draw(beginnings())
    definition = data.draw(definitions(begin))
    job = a_job(clockwork=a_clockwork(created_at=begin, **definition), schedule_since=begin)
    history = History(job, begin)
    for _ in range(data.draw(st.integers(1, 10))):
        action = data.draw(
            st.sampled_from(
                ["look"] * 6
                + ["nothing", "change", "pause", "resume", "auto_pause", "dispatch", "finish", "finish"]
            )
        )
        if action == "look":
            history.now += data.draw(STEPS)
            history.look()
        elif action == "nothing":
            history.now += data.draw(STEPS)
            history.look_for_nothing()
        elif action == "change":
            history.change(**data.draw(partial_definitions(begin)))
        elif action == "pause":
            history.change(is_enabled=False)
        elif action == "resume":
            history.resume(data.draw(st.sampled_from(["none", "latest", "all"])))
        else:
            getattr(history, action)()
    history.now += data.draw(NEAR.map(lambda seconds: timedelta(seconds=seconds)))
    history.look()
    ids = [row.run_id for row in history.rows]
    assert len(ids) == len({*ids})
    assert history.due == sorted({*history.due})
    assert sum(row.instants for row in history.rows) == len(history.due)


@settings(max_examples=150)
@given(st.data())
def test_an_instant_gets_the_disposition_that_its_definition_says(data: st.DataObject) -> None:
    begin = data.draw(beginnings())
    clockwork = a_clockwork(created_at=begin, **data.draw(definitions(begin)))
    history = History(a_job(clockwork=clockwork, schedule_since=begin), begin)
    history.look()
    for _ in range(data.draw(st.integers(1, 4))):
        history.now += data.draw(NEAR.map(lambda seconds: timedelta(seconds=seconds)))
        known = len(history.rows)
        history.standing = data.draw(st.sampled_from([Standing(), Standing(1, 0), Standing(0, 1)]))
        history.look()
        check_verdicts(history, history.rows[known:], clockwork)
