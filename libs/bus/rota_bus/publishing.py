"""Publishing with acknowledgement; many messages as one atomic batch, which costs one sync to disk.

Source: NATS ADR-50, atomic batch publishing.
"""

import asyncio
import json
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

from nats.aio.client import Client
from nats.js.errors import APIError

from rota_contracts.codec import Message

MAX_BATCH = 500  # the server takes 1,000
TIMEOUT_SECONDS = 5.0
# Refusals after which each message is said on its own: one of them is known already, or the
# server has too many open batches or gave this one up.
BATCH_REFUSED = range(10174, 10220)


async def publish(client: Client, messages: Sequence[Message]) -> None:
    """Returns when the stream has stored every message, or knew it.

    Raises:
        nats.errors.Error, APIError, TimeoutError: at least one was not acknowledged.

    """
    if len(messages) == 1:
        await _publish_one(client, messages[0])
        return
    for start in range(0, len(messages), MAX_BATCH):
        batch = messages[start : start + MAX_BATCH]
        try:
            await _publish_batch(client, batch)
        except APIError as error:
            if error.err_code not in BATCH_REFUSED:
                raise
            await asyncio.gather(*(_publish_one(client, message) for message in batch))


async def _publish_one(client: Client, message: Message) -> None:
    reply = await client.request(
        message.subject, message.payload, timeout=TIMEOUT_SECONDS, headers=message.headers
    )
    _raise_error(reply.data)


async def _publish_batch(client: Client, messages: Sequence[Message]) -> None:
    batch_id = uuid4().hex
    last = len(messages)
    for number, message in enumerate(messages, 1):
        headers = {**message.headers, "Nats-Batch-Id": batch_id, "Nats-Batch-Sequence": str(number)}
        if number == last:
            headers["Nats-Batch-Commit"] = "1"
        if number in {1, last}:
            reply = await client.request(
                message.subject, message.payload, timeout=TIMEOUT_SECONDS, headers=headers
            )
            _raise_error(reply.data)
        else:
            await client.publish(message.subject, message.payload, headers=headers)


def _raise_error(reply: bytes) -> None:
    if not reply:  # the answer to the first message of a batch
        return
    answer: dict[str, Any] = json.loads(reply)
    if error := answer.get("error"):
        raise APIError(**error)
