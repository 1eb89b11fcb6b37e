"""What is on the wire stays readable: one golden file per event, as other languages see it."""

import json
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from rota_contracts.codec import MalformedEventError, decode, decode_payload, encode, encode_payload
from rota_contracts.events import EVENTS, Event, JobDue
from rota_contracts.ids import run_id_for, session_id_for
from rota_contracts.permissions import PERMISSIONS
from rota_contracts.streams import STREAMS
from tests.contracts.examples import EXAMPLES

GOLDEN = Path(__file__).parent / "golden"


# Said to whoever listens now; a row stands behind each.
HINTS = {
    "rota.approval.decided.v1",
    "rota.bell.rung.v1",
    "rota.job.changed.v1",
    "rota.member.changed.v1",
    "rota.notification.requested.v1",
    "rota.run.cancel.v1",
    "rota.run.followed.v1",
    "rota.run.progress.v1",
    "rota.run.stopping.v1",
}


def golden(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((GOLDEN / f"{name}.json").read_text())
    return found


def matches(pattern: str, subject: str) -> bool:
    tokens, parts = pattern.split("."), subject.split(".")
    if tokens[-1] == ">":
        return len(parts) >= len(tokens) and all(
            token in {"*", part} for token, part in zip(tokens[:-1], parts, strict=False)
        )
    return len(tokens) == len(parts) and all(
        token in {"*", part} for token, part in zip(tokens, parts, strict=True)
    )


def test_every_event_has_an_example_and_a_golden_file() -> None:
    assert set(EXAMPLES) == set(EVENTS)
    assert {path.stem for path in GOLDEN.glob("*.json")} == set(EVENTS)


@pytest.mark.parametrize("name", sorted(EVENTS))
def test_an_event_is_written_as_its_golden_file_says(name: str) -> None:
    message = encode(EXAMPLES[name], source="test")
    written = golden(name)
    assert json.loads(message.payload) == written["payload"]
    assert message.subject == written["subject"]
    assert message.headers["Nats-Msg-Id"] == written["message_id"]


@pytest.mark.parametrize("name", sorted(EVENTS))
def test_a_golden_file_is_read_as_the_event_it_was(name: str) -> None:
    payload = json.dumps(golden(name)["payload"]).encode()
    assert decode_payload(name, payload) == EXAMPLES[name]


@pytest.mark.parametrize("name", sorted(EVENTS))
def test_a_reader_ignores_fields_of_a_newer_writer(name: str) -> None:
    payload = {**golden(name)["payload"], "added_next_year": {"a": 1}}
    assert decode_payload(name, json.dumps(payload).encode()) == EXAMPLES[name]


@pytest.mark.parametrize("name", sorted(EVENTS))
def test_fields_with_a_default_may_be_missing(name: str) -> None:
    event = EVENTS[name]
    required = {field.name for field in msgspec.structs.fields(event) if field.required}
    payload = {key: value for key, value in golden(name)["payload"].items() if key in required}
    assert isinstance(decode_payload(name, json.dumps(payload).encode()), event)


@pytest.mark.parametrize("name", sorted(EVENTS))
def test_the_headers_are_cloudevents_and_a_trace_context(name: str) -> None:
    event = EXAMPLES[name]
    headers = encode(event, source="ticker").headers
    assert headers["ce-specversion"] == "1.0"
    assert headers["ce-type"] == name
    assert headers["ce-source"] == "/rota/ticker"
    assert headers["ce-time"].endswith("Z")
    version, trace, span, flags = headers["traceparent"].split("-")
    assert (version, trace, flags) == ("00", event.trace_id.hex, "01")
    assert len(span) == 16


@pytest.mark.parametrize("name", sorted(EVENTS))
def test_exactly_one_service_may_say_an_event(name: str) -> None:
    subject = EXAMPLES[name].subject
    writers = [
        service
        for service, rights in PERMISSIONS.items()
        if any(matches(pattern, subject) for pattern in rights.publish)
    ]
    assert len(writers) == 1


@pytest.mark.parametrize("name", sorted(set(EVENTS) - HINTS))
def test_every_event_but_the_hints_is_kept_in_one_stream(name: str) -> None:
    subject = EXAMPLES[name].subject
    keeping = [stream for stream in STREAMS if any(matches(pattern, subject) for pattern in stream.subjects)]
    assert len(keeping) == 1


@pytest.mark.parametrize(
    ("headers", "payload", "reason"),
    [
        (None, b"{}", "ce-type is missing"),
        ({"ce-type": "rota.unknown.v1"}, b"{}", "unknown"),
        ({"ce-type": JobDue.TYPE}, b"", "payload"),
        ({"ce-type": JobDue.TYPE}, b"\xff", "payload"),
        ({"ce-type": JobDue.TYPE}, b"[]", "payload"),
        ({"ce-type": JobDue.TYPE}, b"{}", "missing required field"),
    ],
)
def test_what_is_no_event_is_told_apart(headers: dict[str, str] | None, payload: bytes, reason: str) -> None:
    with pytest.raises(MalformedEventError, match=reason):
        decode("job.due.a.b", payload, headers)


@pytest.mark.parametrize(
    ("field", "value"),
    [("attempt", 0), ("attempt", "1"), ("scheduled_for", "2026-11-21T07:00:00"), ("trigger", "magic")],
)
def test_a_value_that_cannot_be_is_refused(field: str, value: object) -> None:
    payload = {**golden(JobDue.TYPE)["payload"], field: value}
    with pytest.raises(MalformedEventError, match=field):
        decode_payload(JobDue.TYPE, json.dumps(payload).encode())


def test_an_event_on_a_foreign_subject_is_refused() -> None:
    message = encode(EXAMPLES[JobDue.TYPE], source="ticker")
    with pytest.raises(MalformedEventError, match="belongs on"):
        decode("job.due.x.y", message.payload, message.headers)


def test_two_tickers_name_a_run_alike_and_two_instants_differently() -> None:
    due = EXAMPLES[JobDue.TYPE]
    assert isinstance(due, JobDue)
    same = due.scheduled_for.astimezone(ZoneInfo("Asia/Tokyo"))
    assert run_id_for(due.job_id, due.scheduled_for) == run_id_for(due.job_id, same)
    assert str(run_id_for(due.job_id, due.scheduled_for)) == "76147d1e-4943-555f-a1b2-cea797456806"
    assert session_id_for(due.run_id, 1) != session_id_for(due.run_id, 2)
    with pytest.raises(ValueError, match="no time zone"):
        run_id_for(due.job_id, due.scheduled_for.replace(tzinfo=None))


def test_the_payload_of_a_row_is_the_payload_on_the_wire() -> None:
    for event in EXAMPLES.values():
        assert isinstance(event, Event)
        assert encode_payload(event) == encode(event, source="x").payload
