"""Streams and durable consumers are declared, not administered: creating what exists is a no-op."""

from collections.abc import Iterable

from nats.aio.client import Client
from nats.js.api import ConsumerConfig, RetentionPolicy, StorageType, StreamConfig
from nats.js.errors import BadRequestError

from rota_bus.errors import TopologyError
from rota_contracts.streams import Consumer, Stream

# The server's err_code for a name that is taken by other settings.
STREAM_DIFFERS = 10058


async def declare(client: Client, streams: Iterable[Stream], consumers: Iterable[Consumer]) -> None:
    """Creates what is missing.

    Raises:
        TopologyError: a stream of that name has other settings.
        nats.errors.Error: JetStream does not answer.

    """
    jetstream = client.jetstream(timeout=5)
    for stream in streams:
        try:
            await jetstream.add_stream(stream_config(stream))
        except BadRequestError as error:
            if error.err_code != STREAM_DIFFERS:
                raise
            raise TopologyError(
                f"the stream {stream.name!r} exists with other settings; update it with the nats tool "
                "to those of this version, or remove it while nothing runs"
            ) from error
    for consumer in consumers:
        await jetstream.add_consumer(consumer.stream.name, consumer_config(consumer))


def stream_config(stream: Stream) -> StreamConfig:
    """Kept by age, not by interest: whoever comes later still finds the last days."""
    return StreamConfig(
        name=stream.name,
        subjects=list(stream.subjects),
        retention=RetentionPolicy.LIMITS,
        storage=StorageType.FILE,
        max_age=stream.max_age.total_seconds(),
        duplicate_window=stream.duplicate_window.total_seconds(),
        allow_direct=True,
        allow_atomic=True,
    )


def consumer_config(consumer: Consumer) -> ConsumerConfig:
    return ConsumerConfig(
        name=consumer.durable,
        durable_name=consumer.durable,
        filter_subjects=list(consumer.filters),
        ack_wait=consumer.ack_wait.total_seconds(),
        # The service counts: trouble of the database is no fault of the message.
        max_deliver=-1,
        max_ack_pending=consumer.max_ack_pending,
    )
