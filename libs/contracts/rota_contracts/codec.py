"""Events to messages and back: JSON payload, CloudEvents and W3C trace context in the headers.

Sources: CloudEvents 1.0, NATS protocol binding; W3C Trace Context, traceparent.
"""

import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

import msgspec

from rota_contracts.events import EVENTS, Event, JobCompleted

_encoder = msgspec.json.Encoder(order="deterministic")
_decoders = {name: msgspec.json.Decoder(event) for name, event in EVENTS.items()}
_outcome_decoder = msgspec.json.Decoder(JobCompleted)
_type_line = re.compile(rb"\r\nce-type:[ \t]*(\S+)")
_SPAN = 16  # hexadecimal digits


class MalformedEventError(ValueError):
    """The message is no event of Rota; it can never be handled."""


class Message(NamedTuple):
    """`head` is the headers as they go over the wire: lines of `name: value`, each with its CRLF."""

    subject: str
    payload: bytes
    head: bytes

    @property
    def headers(self) -> dict[str, str]:
        """By name, for whoever looks at a few."""
        return dict(line.split(": ", 1) for line in self.head.decode().splitlines())


def head_of(headers: Mapping[str, str]) -> bytes:
    """The lines of such headers; a value cannot end its line."""
    return "".join(f"{name}: {' '.join(value.split())}\r\n" for name, value in headers.items()).encode()


def encode(event: Event, *, source: str) -> Message:
    """The message that says `event`; `source` names the publishing service."""
    return encode_all([event], source=source)[0]


def encode_all(events: Sequence[Event], *, source: str) -> list[Message]:
    """The messages that say `events` now."""
    now = datetime.now(UTC).isoformat().removesuffix("+00:00")
    spans = secrets.token_hex(len(events) * _SPAN // 2)
    return [
        _message(event, source, now, spans[number * _SPAN : (number + 1) * _SPAN])
        for number, event in enumerate(events)
    ]


def _message(event: Event, source: str, now: str, span: str) -> Message:
    subject, message_id = event.subject, event.message_id
    head = (
        "ce-specversion: 1.0\r\n"
        f"ce-id: {message_id}\r\n"
        f"ce-type: {event.TYPE}\r\n"
        f"ce-source: /rota/{source}\r\n"
        f"ce-time: {now}Z\r\n"
        f"ce-subject: {subject}\r\n"
        "content-type: application/json\r\n"
        f"traceparent: 00-{event.trace_id.hex}-{span}-01\r\n"
        f"Nats-Msg-Id: {message_id}\r\n"
    )
    return Message(subject, _encoder.encode(event), head.encode())


def encode_payload(event: Event) -> bytes:
    """The JSON of the event alone, for keeping it in a row."""
    return _encoder.encode(event)


def decode(subject: str, payload: bytes, headers: Mapping[str, str] | None) -> Event:
    """The event that a message says.

    Raises:
        MalformedEventError: no or an unknown `ce-type`, JSON that is not that event, or a subject
            that is not the event's own; the message says which.

    """
    return _decode(subject, payload, (headers or {}).get("ce-type"))


def decode_wire(subject: str, payload: bytes, block: bytes) -> Event:
    """As `decode`, with the headers as they came; errors likewise."""
    found = _type_line.search(block)
    return _decode(subject, payload, found[1].decode(errors="replace") if found else None)


def decode_payload(name: str, payload: bytes) -> Event:
    """The event of type `name` that the JSON holds; errors as in `decode`."""
    decoder = _decoders.get(name)
    if decoder is None:
        raise MalformedEventError(f"the event type {name!r} is unknown")
    try:
        return decoder.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise MalformedEventError(f"the payload is no {name}: {error}") from error


def _decode(subject: str, payload: bytes, name: str | None) -> Event:
    if not name:
        raise MalformedEventError("the header ce-type is missing")
    event = decode_payload(name, payload)
    if event.subject != subject:
        raise MalformedEventError(f"the payload belongs on {event.subject!r}, it came on {subject!r}")
    return event


def decode_outcomes(payloads: Iterable[bytes]) -> tuple[list[JobCompleted], list[str]]:
    """The outcomes that rows hold, and why each of the others cannot be read.

    During an upgrade there may be some that a newer version wrote.
    """
    outcomes, problems = [], []
    for payload in payloads:
        try:
            outcomes.append(_outcome_decoder.decode(payload))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            problems.append(str(error))
    return outcomes, problems
