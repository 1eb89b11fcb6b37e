"""Events to messages and back: JSON payload, CloudEvents and W3C trace context in the headers.

Sources: CloudEvents 1.0, NATS protocol binding; W3C Trace Context, traceparent.
"""

import secrets
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import NamedTuple

import msgspec

from rota_contracts.events import EVENTS, Event, JobCompleted

_encoder = msgspec.json.Encoder(order="deterministic")
_decoders = {name: msgspec.json.Decoder(event) for name, event in EVENTS.items()}
_outcome_decoder = msgspec.json.Decoder(JobCompleted)


class MalformedEventError(ValueError):
    """The message is no event of Rota; it can never be handled."""


class Message(NamedTuple):
    subject: str
    payload: bytes
    headers: dict[str, str]


def encode(event: Event, *, source: str) -> Message:
    """The message that says `event`; `source` names the publishing service."""
    headers = {
        "ce-specversion": "1.0",
        "ce-id": event.message_id,
        "ce-type": event.TYPE,
        "ce-source": f"/rota/{source}",
        "ce-time": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
        "ce-subject": event.subject,
        "content-type": "application/json",
        "traceparent": f"00-{event.trace_id.hex}-{secrets.token_hex(8)}-01",
        "Nats-Msg-Id": event.message_id,
    }
    return Message(event.subject, _encoder.encode(event), headers)


def encode_payload(event: Event) -> bytes:
    """The JSON of the event alone, for keeping it in a row."""
    return _encoder.encode(event)


def decode(subject: str, payload: bytes, headers: Mapping[str, str] | None) -> Event:
    """The event that a message says.

    Raises:
        MalformedEventError: no or an unknown `ce-type`, JSON that is not that event, or a subject
            that is not the event's own; the message says which.

    """
    name = (headers or {}).get("ce-type")
    if not name:
        raise MalformedEventError("the header ce-type is missing")
    event = decode_payload(name, payload)
    if event.subject != subject:
        raise MalformedEventError(f"the payload belongs on {event.subject!r}, it came on {subject!r}")
    return event


def decode_payload(name: str, payload: bytes) -> Event:
    """The event of type `name` that the JSON holds; errors as in `decode`."""
    decoder = _decoders.get(name)
    if decoder is None:
        raise MalformedEventError(f"the event type {name!r} is unknown")
    try:
        return decoder.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise MalformedEventError(f"the payload is no {name}: {error}") from error


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
