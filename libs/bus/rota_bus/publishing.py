"""Publishing with acknowledgement; many messages as one atomic batch, which costs few syncs to disk.

Source: NATS ADR-50, atomic batch publishing.
"""

import asyncio
import json
from collections.abc import Iterator, Sequence
from typing import Any
from uuid import uuid4

from nats.errors import NoRespondersError
from nats.js.errors import APIError

from rota_bus.wire import Frame, WireClient, publish_frame
from rota_contracts.codec import Message

# A batch costs the server 2 ms and four syncs more than its messages do, a message on its own 0.2 ms
# and one sync.
MIN_BATCH = 8
MAX_BATCH = 1000  # the server takes no more
MAX_BATCH_BYTES = 8 * 1024 * 1024
MAX_SINGLES = 250  # of those said on their own, so many at once
TIMEOUT_SECONDS = 5.0
# Refusals after which each message is said on its own: one of them is known already, or the
# server has too many open batches or gave this one up.
BATCH_REFUSED = range(10174, 10220)


async def publish(client: WireClient, messages: Sequence[Message]) -> None:
    """Returns when the stream has stored every message, or knew it.

    Raises:
        nats.errors.Error, APIError, TimeoutError: at least one was not acknowledged.

    """
    client.require_room(messages)
    for batch in _batches(messages):
        if len(batch) < MIN_BATCH:
            await _publish_singly(client, batch)
            continue
        try:
            await _publish_batch(client, batch)
        except APIError as error:
            if error.err_code not in BATCH_REFUSED:
                raise
            for start in range(0, len(batch), MAX_SINGLES):
                await _publish_singly(client, batch[start : start + MAX_SINGLES])


def _batches(messages: Sequence[Message]) -> Iterator[Sequence[Message]]:
    start = size = 0
    for end, message in enumerate(messages):
        length = len(message.head) + len(message.payload)
        if end > start and (end - start == MAX_BATCH or size + length > MAX_BATCH_BYTES):
            yield messages[start:end]
            start, size = end, 0
        size += length
    yield messages[start:]


async def _publish_singly(client: WireClient, messages: Sequence[Message]) -> None:
    async with client.answers(len(messages)) as asked, asyncio.timeout(TIMEOUT_SECONDS):
        client.send(
            b"".join(
                [
                    publish_frame(message, subject)
                    for message, (subject, _) in zip(messages, asked, strict=True)
                ]
            )
        )
        for _, answer in asked:
            _raise_error(await answer)


async def _publish_batch(client: WireClient, messages: Sequence[Message]) -> None:
    """Only the last message is answered; without a stream that takes batches, with an error."""
    line = b"Nats-Batch-Id: %b\r\nNats-Batch-Sequence: " % uuid4().hex.encode()
    last = len(messages)
    frames = [
        publish_frame(message, b"", b"%b%d\r\n" % (line, number))
        for number, message in enumerate(messages[:-1], 1)
    ]
    async with client.answers(1) as asked, asyncio.timeout(TIMEOUT_SECONDS):
        [(subject, answer)] = asked
        commit = b"%b%d\r\nNats-Batch-Commit: 1\r\n" % (line, last)
        client.send(b"".join([*frames, publish_frame(messages[-1], subject, commit)]))
        _raise_error(await answer)


def _raise_error(answer: Frame) -> None:
    if answer.block.startswith(b"NATS/1.0 503"):
        raise NoRespondersError
    told: dict[str, Any] = json.loads(answer.payload)
    if error := told.get("error"):
        raise APIError(**error)
