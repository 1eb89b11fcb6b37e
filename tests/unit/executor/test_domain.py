"""The decisions about attempts."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rota_chassis.redaction import Redactor
from rota_contracts.codec import encode_payload
from rota_contracts.events import JobCompleted, JobDue, JobSnapshot
from rota_contracts.transcript import Entry
from rota_contracts.values import ContentBlock, ErrorKind, PendingAction
from rota_executor.domain import (
    Outcome,
    Record,
    bounded_transcript,
    clean,
    completed,
    cut_content,
    is_final,
    prompt_of,
    verdict,
)

NOON = datetime(2027, 1, 31, 12, tzinfo=UTC)


def a_due(prompt: str = "Do it.", **columns: Any) -> JobDue:
    job = JobSnapshot(
        name="a job",
        agent_name="watchman",
        skill_prompt=prompt,
        cron_expression="* * * * *",
        timezone="UTC",
        timeout_seconds=30,
        max_retries=2,
        generation=1,
    )
    row: dict[str, Any] = {
        "context_id": UUID(int=1),
        "job_id": UUID(int=2),
        "run_id": UUID(int=3),
        "attempt": 1,
        "scheduled_for": NOON,
        "effective_at": NOON,
        "trigger": "schedule",
        "job": job,
    }
    return JobDue(**(row | columns))


def an_end(outcome: Outcome, record: Record | None = None, event: JobDue | None = None) -> JobCompleted:
    return completed(
        event or a_due(),
        outcome,
        record or Record(),
        started_at=NOON,
        duration=timedelta(seconds=1.5),
    )


@pytest.mark.parametrize(
    ("state", "is_open", "current", "expected"),
    [
        ("ended", True, 2, "ended"),
        ("ended", False, 3, "ended"),
        ("running", True, 2, "elsewhere"),
        ("running", True, 3, "stale"),
        ("running", False, 2, "stale"),
        ("released", True, 2, "elsewhere"),
        (None, True, 3, "stale"),
        (None, False, None, "stale"),
    ],
)
def test_an_attempt_that_was_not_won_has_a_reason(
    state: str | None, is_open: bool, current: int | None, expected: str
) -> None:
    assert verdict(2, state=state, is_open=is_open, current_attempt=current) == expected


@pytest.mark.parametrize(
    ("kind", "failures", "final"),
    [
        ("model_unavailable", 0, False),
        ("timeout", 1, False),
        ("timeout", 2, True),
        ("agent_not_found", 0, True),
        ("invalid_configuration", 0, True),
        ("cancelled", 0, True),
        ("lost", 0, True),
    ],
)
def test_an_error_is_final_when_no_retry_can_help_or_is_left(
    kind: ErrorKind, failures: int, final: bool
) -> None:
    assert is_final("error", kind, failures=failures, max_retries=2) is final


def test_an_answer_is_always_final() -> None:
    assert is_final("success", None, failures=0, max_retries=9)
    assert is_final("partial", None, failures=0, max_retries=9)


def test_the_prompt_names_the_due_times_that_the_run_stands_for() -> None:
    event = a_due(
        "Look.", prompt_context="Since Monday.", instants=3, first_instant=NOON - timedelta(hours=2)
    )
    assert prompt_of(event) == (
        "Look.\n\nSince Monday.\n\n"
        "This run stands for 3 due times, from 2027-01-31T10:00:00Z to 2027-01-31T12:00:00Z."
    )


def test_a_job_without_a_prompt_asks_nothing() -> None:
    assert prompt_of(a_due("")) == ""


def test_an_outcome_tells_how_long_the_attempt_took() -> None:
    end = an_end(Outcome("success", "fine"))
    assert end.execution_duration_ms == 1500
    assert (end.started_at, end.completed_at) == (NOON, NOON + timedelta(seconds=1.5))


@given(
    st.one_of(
        st.text(max_size=50),
        st.lists(st.builds(ContentBlock, type=st.just("text"), text=st.text(max_size=20))),
    )
)
@settings(deadline=None)  # it makes megabytes
def test_an_outcome_always_fits_into_a_message(piece: str | list[ContentBlock]) -> None:
    content = piece * 20_000 if isinstance(piece, str) else piece * 5_000
    record = Record(warnings=["\x01" * 5_000] * 100)
    end = an_end(Outcome("success", content), record, a_due("\x02" * 5_000, prompt_context="\x03" * 90_000))
    assert len(encode_payload(end)) < 900_000


def test_an_approval_that_nobody_could_read_is_not_asked_for() -> None:
    action = PendingAction(tool_call_id="1", tool_name="write", arguments={"text": "x" * 300_000})
    end = an_end(Outcome("partial", "", (action,)))
    assert (end.status, end.error_kind, end.pending_actions) == ("error", "model_error", [])
    assert "300 kB" in (end.error_message or "")


@given(st.recursive(st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_what_is_clean_can_be_stored(value: Any) -> None:
    stored = msgspec.json.encode(clean(value))
    assert b"\\u0000" not in stored


@given(st.text(alphabet=st.characters(), max_size=30))
def test_clean_text_is_utf8_without_nul(text: str) -> None:
    cleaned = clean(text + "\ud800\x00")
    assert "\x00" not in cleaned
    cleaned.encode()


@given(st.lists(st.text(min_size=1, max_size=9)), st.integers(1, 30))
def test_cut_blocks_keep_their_order_and_the_limit(texts: list[str], limit: int) -> None:
    cut = cut_content([ContentBlock(type="text", text=text) for text in texts], limit)
    assert isinstance(cut, list)
    assert sum(len(block.text) for block in cut) <= limit
    assert all(text.startswith(block.text) for text, block in zip(texts, cut, strict=False))


def test_a_long_transcript_keeps_its_beginning_and_its_end() -> None:
    entries = [Entry(role="user", content=f"message {number}") for number in range(1_000)]
    kept = bounded_transcript(entries, Redactor())
    assert len(kept) == 200
    assert [(one.position, one.content) for one in (kept[0], kept[-1])] == [
        (1, "message 0"),
        (1_000, "message 999"),
    ]
    assert Entry(role="system", content="(801 messages are not kept)", position=100) in kept
    assert [one.position for one in kept] == sorted(one.position for one in kept)


def test_a_long_message_of_a_transcript_is_cut() -> None:
    kept = bounded_transcript([Entry(role="tool", content="x" * 90_000)] * 3, Redactor())
    assert [len(entry.content) for entry in kept] == [50_000] * 3


def test_a_transcript_keeps_no_secret_in_any_field() -> None:
    hidden = Redactor()
    hidden.add(["top-secret-value"])
    entry = Entry(
        role="assistant",
        content="post(top-secret-value)\x00",
        tool_name="top-secret-value",
        arguments={"body": ["top-secret-value"]},
    )
    [kept] = bounded_transcript([entry], hidden)
    assert "top-secret" not in repr(kept)
    assert kept.arguments == {"body": ["[redacted]"]}


def test_long_arguments_are_kept_only_as_the_text_that_is_cut() -> None:
    entry = Entry(role="assistant", content="x" * 90_000, arguments={"body": "x" * 90_000})
    [kept] = bounded_transcript([entry], Redactor())
    assert (len(kept.content), kept.arguments) == (50_000, None)
