"""What somebody who follows a run is told, and what not twice."""

from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rota_contracts.events import RunProgress
from rota_contracts.transcript import Entry, ProgressStep
from rota_gateway.domain.following import END, Follower, Told, end_of, waiting_for

ID = UUID(int=1)


def said(position: int, content: str = "x", role: Any = "assistant") -> ProgressStep:
    entry = Entry(position=position, role=role, content=content)
    return ProgressStep(position=position, entry=entry)


def piece(position: int, offset: int, text: str) -> ProgressStep:
    return ProgressStep(position=position, offset=offset, text=text)


def progress(*steps: ProgressStep, attempt: int = 1) -> RunProgress:
    return RunProgress(context_id=ID, job_id=ID, run_id=ID, attempt=attempt, number=1, steps=list(steps))


def attempt(number: int, *contents: str, status: str | None = "success", since: int = 1) -> dict[str, Any]:
    transcript = [
        {"position": position, "role": "user", "content": content}
        for position, content in enumerate(contents, start=since)
    ]
    about = {"attempt": number, "session_id": ID, "started_at": None, "status": status}
    ended = {
        "state": "ended" if status else "running",
        "last": transcript[-1]["position"] if status else None,
    }
    return {**about, **ended, "transcript": transcript if status else None}


def texts(told: list[Told]) -> list[str]:
    return [one.data.get("text") or one.data.get("content") or one.kind for one in told]


def test_text_is_told_once_and_then_the_whole_entry() -> None:
    follower = Follower(attempt=1)
    told, missing = follower.live(progress(piece(1, 0, "Hel")))
    again, _ = follower.live(progress(piece(1, 0, "Hello"), said(1, "Hello")))
    assert (texts(told), texts(again), missing) == (["Hel"], ["lo", "Hello"], False)
    assert [one.id for one in [*told, *again]] == ["1.0.3", "1.0.5", "1.1.0"]


def test_what_was_told_is_not_told_again() -> None:
    follower = Follower(attempt=1)
    whole = progress(said(1, "a"), said(2, "b"), piece(3, 0, "c"))
    assert texts(follower.live(whole)[0]) == ["a", "b", "c"]
    assert follower.live(whole) == ([], False)


@pytest.mark.parametrize("step", [said(3), piece(1, 4, "o"), piece(3, 0, "x")])
def test_what_is_missing_is_asked_for_and_nothing_behind_it_told(step: ProgressStep) -> None:
    follower = Follower(attempt=1, entries=0, offset=2)
    assert follower.live(progress(step)) == ([], True)
    assert follower.id == "1.0.2"


def test_another_attempt_is_not_told_before_the_rows_tell_of_it() -> None:
    assert Follower(attempt=1).live(progress(said(1), attempt=2)) == ([], False)


def test_a_reader_who_comes_again_goes_on_where_it_was() -> None:
    follower = Follower.after("2.3.5")
    told, _ = follower.live(progress(piece(4, 0, "Hello you"), attempt=2))
    assert texts(told) == [" you"]


@pytest.mark.parametrize("mark", [None, "", "1", "1.2", "a.b.c", "-1.0.0", "1.2.3.4", "9" * 30 + ".0.0"])
def test_a_mark_that_is_none_of_ours_begins_at_the_start(mark: str | None) -> None:
    assert Follower.after(mark) == Follower()


def test_a_run_that_ended_is_told_from_its_transcript() -> None:
    told = Follower().stored([attempt(1, "a", "b")])
    assert texts(told) == ["attempt", "a", "b"]
    assert Follower.after(told[1].id).stored([attempt(1, "a", "b")]) == told[2:]


def test_what_was_lost_live_is_told_from_the_transcript_in_the_end() -> None:
    follower = Follower()
    follower.stored([attempt(1, status=None)])
    follower.live(progress(said(1, "a"), piece(2, 0, "b")))
    assert texts(follower.stored([attempt(1, "a", "b and", "c")])) == ["b and", "c"]


def test_a_run_that_goes_on_after_it_waited_is_not_told_from_its_beginning_again() -> None:
    parked, resumed = attempt(1, "a", "b", status="partial"), attempt(2, "a", "b", "c")
    assert texts(Follower().stored([parked, resumed])) == ["attempt", "a", "b", "attempt", "c"]
    live = Follower()
    live.stored([parked, attempt(2, status=None)])
    assert texts(live.live(progress(said(3, "c"), attempt=2))[0]) == ["c"]


def test_what_was_told_from_a_row_need_not_be_read_again() -> None:
    follower = Follower()
    parked = attempt(1, "a", "b", status="partial")
    follower.stored([parked])
    assert follower.finished == 1
    unread = {**parked, "transcript": None}
    assert follower.stored([unread]) == []
    assert texts(follower.stored([unread, attempt(2, "a", "b", "c")])) == ["attempt", "c"]
    assert follower.finished == 2


def test_one_that_is_begun_anew_is() -> None:
    failed, anew = attempt(1, "a", "b", status="error"), attempt(2, "a", "c")
    assert texts(Follower().stored([failed, anew])) == ["attempt", "a", "b", "attempt", "a", "c"]


def test_an_attempt_that_vanished_is_told_of_by_the_one_after_it() -> None:
    follower = Follower()
    follower.stored([attempt(1, status=None)])
    follower.live(progress(said(1, "a"), said(2, "b")))
    told = follower.stored([attempt(1, status=None), attempt(2, "a", "c")])
    assert texts(told) == ["attempt", "a", "c"]


@given(st.lists(st.text(min_size=1, max_size=5), min_size=1, max_size=6), st.data())
def test_however_often_messages_come_or_are_lost_each_entry_is_told_once(
    contents: list[str], data: st.DataObject
) -> None:
    follower, told = Follower(), []
    told += follower.stored([attempt(1, status=None)])
    for _ in range(data.draw(st.integers(0, 10))):
        first = data.draw(st.integers(1, len(contents)))
        last = data.draw(st.integers(first, len(contents)))
        steps = [said(position, contents[position - 1]) for position in range(first, last + 1)]
        told += follower.live(progress(*steps))[0]
    told += follower.stored([attempt(1, *contents)])
    assert [one.data["content"] for one in told if one.kind == "message"] == contents


def a_run(**columns: Any) -> dict[str, Any]:
    empty = dict.fromkeys((*END, "state"))
    return {**empty, "pending_actions": [], **columns}


@pytest.mark.parametrize(
    ("columns", "has_ended"),
    [
        ({"state": "queued"}, False),
        ({"state": "running"}, False),
        ({"state": "closed", "disposition": "ran"}, False),  # its result is on the way
        ({"state": "closed", "disposition": "ran", "status": "partial"}, False),
        ({"state": "closed", "disposition": "skipped"}, True),
        ({"state": "closed", "disposition": "ran", "status": "error"}, True),
    ],
)
def test_a_run_has_ended_when_nothing_more_will_come_of_it(columns: dict[str, Any], has_ended: bool) -> None:
    assert (end_of(a_run(**columns)) is not None) is has_ended


def test_a_run_waits_for_what_nobody_has_decided() -> None:
    action = {"id": ID, "tool_name": "post", "arguments": {}, "expires_at": None, "status": "pending"}
    parked = a_run(status="partial", state="closed", pending_actions=[action, {**action, "status": "denied"}])
    assert [call["tool_name"] for call in waiting_for(parked)] == ["post"]
    assert waiting_for({**parked, "state": "running"}) == []
