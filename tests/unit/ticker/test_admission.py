"""Who goes first, and who waits."""

from collections import Counter
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from hypothesis import given
from hypothesis import strategies as st

from rota_ticker.domain.admission import Candidate, admissible
from rota_ticker.domain.jobs import Occurrence, Standing
from rota_ticker.domain.placing import placed
from tests.unit.ticker.building import at

NOON = at("2026-03-02 12:00")
IDS = [UUID(int=number) for number in range(1, 7)]


def a_candidate(**columns: Any) -> Candidate:
    values: dict[str, Any] = {
        "run_id": uuid4(),
        "scheduled_for": NOON,
        "job_id": uuid4(),
        "context_id": IDS[0],
        "priority": 5,
        "effective_at": NOON,
        "is_exclusive": True,
        "agent_name": "orchestrator",
        "agent_room": None,
    }
    return Candidate(**(values | columns))


def test_contexts_take_turns_however_much_one_of_them_has() -> None:
    crowd = [a_candidate(context_id=IDS[0]) for _ in range(500)]
    other = a_candidate(context_id=IDS[1], priority=9, effective_at=NOON + timedelta(hours=1))
    assert other in admissible([*crowd, other], 2)


def test_within_a_turn_priority_goes_before_age() -> None:
    old = a_candidate(priority=5, effective_at=NOON - timedelta(hours=1))
    urgent = a_candidate(context_id=IDS[1], priority=1)
    assert admissible([old, urgent], 1) == [urgent]


candidates = st.lists(
    st.builds(
        lambda context, job, priority, age, exclusive, agent: a_candidate(
            context_id=context,
            job_id=job,
            priority=priority,
            effective_at=NOON - timedelta(seconds=age),
            is_exclusive=exclusive,
            agent_name=agent[0],
            agent_room=agent[1],
        ),
        st.sampled_from(IDS[:3]),
        st.sampled_from(IDS),
        st.integers(1, 9),
        st.integers(0, 9),
        st.booleans(),
        st.sampled_from([("free", None), ("one", 1), ("two", 2)]),
    ),
    max_size=30,
).map(lambda found: sorted(found, key=lambda one: (one.context_id, one.priority, one.effective_at)))


@given(candidates, st.integers(1, 40))
def test_limits_hold_and_no_context_is_two_turns_ahead_of_one_that_waits(
    waiting: list[Candidate], at_most: int
) -> None:
    chosen = admissible(waiting, at_most)
    everything = admissible(waiting, len(waiting) or 1)
    assert len(chosen) == min(at_most, len(everything))
    assert len({one.run_id for one in chosen}) == len(chosen)
    for (_, agent), count in Counter((one.context_id, one.agent_name) for one in chosen).items():
        assert count <= {"free": 99, "one": 1, "two": 2}[agent]
    for job in {one.job_id for one in chosen}:
        mine = [one for one in waiting if one.job_id == job and one in chosen]
        assert all(not one.is_exclusive for one in mine[1:])
    turns = Counter(one.context_id for one in chosen)
    left = {one.context_id for one in everything if one not in chosen}
    assert all(turns[context] >= max(turns.values(), default=0) - 1 for context in left)


def a_row(**columns: Any) -> Occurrence:
    values: dict[str, Any] = {
        "run_id": uuid4(),
        "job_id": uuid4(),
        "context_id": IDS[0],
        "scheduled_for": NOON,
        "effective_at": NOON,
    }
    return Occurrence(**(values | columns))


def test_what_becomes_due_at_once_goes_by_priority_and_then_by_age_as_far_as_there_is_room() -> None:
    rows = [a_row(priority=9), a_row(), a_row(effective_at=NOON - timedelta(seconds=1)), a_row(priority=1)]
    assert placed(rows, {IDS[0]: 2}, {}, NOON) == {rows[3].run_id, rows[2].run_id}
    assert placed(rows, {}, {}, NOON) == set()


def test_what_waits_for_its_job_or_its_time_does_not_go_at_once() -> None:
    job = uuid4()
    rows = [
        a_row(job_id=job, effective_at=NOON - timedelta(minutes=1)),
        a_row(job_id=job),
        a_row(effective_at=NOON + timedelta(seconds=1)),
        a_row(disposition="skipped"),
    ]
    assert placed(rows, {IDS[0]: 9}, {}, NOON) == {rows[0].run_id}
    assert placed(rows, {IDS[0]: 9}, {job: Standing(0, 1)}, NOON) == set()
