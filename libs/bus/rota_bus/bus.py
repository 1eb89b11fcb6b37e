"""One connection to NATS: declare streams and consumers, publish events, listen to hints."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable, Sequence

from nats.errors import Error as NatsError
from nats.errors import NoRespondersError
from nats.js.errors import APIError, ServiceUnavailableError

from rota_bus import presence, publishing, topology
from rota_bus.errors import BusUnavailableError, PublishError
from rota_bus.hearing import Callback, Hearing
from rota_bus.subscription import MAX_BATCH, Subscription
from rota_bus.wire import WireClient, answer_frame, publish_frame
from rota_chassis import logs
from rota_chassis.lifecycle import Lifetime
from rota_chassis.settings import ServiceSettings
from rota_contracts.codec import Message, encode, encode_all
from rota_contracts.events import Event
from rota_contracts.permissions import inbox_prefix
from rota_contracts.streams import Consumer, Stream

log = logs.logger(__name__)

MAX_WAITING_BYTES = 1024 * 1024


class Bus:
    """Reconnects by itself for ever, and then declares again what it was told to declare."""

    def __init__(self, client: WireClient, service: str) -> None:
        self._client = client
        self._service = service
        self._streams: list[Stream] = []
        self._consumers: list[Consumer] = []
        self._subscriptions: list[Subscription] = []
        self._hearings: list[Hearing] = []
        self._restoring: asyncio.Task[None] | None = None
        self._closing = False
        # Called when the server has turned the client away for good, e.g. with its user taken away.
        self.on_refused: Callable[[BusUnavailableError], None] | None = None

    @classmethod
    async def connect(cls, url: str, *, service: str, seed: str | None = None) -> "Bus":
        """Connects as the NATS user of `service`; waits until a server is there.

        Args:
            url: nats://host:port, several separated by commas
            service: names the client, the inbox and the source of its events
            seed: the nkey seed of the user; none for a server without accounts

        """
        bus = cls(WireClient(), service)
        waiting = asyncio.create_task(_tell_about_waiting(url))
        try:
            await bus._client.connect(
                url.split(","),
                name=f"rota-{service}",
                nkeys_seed_str=seed,
                inbox_prefix=inbox_prefix(service),
                max_reconnect_attempts=-1,
                reconnect_time_wait=0.25,  # type: ignore[arg-type]  # seconds; a float is taken
                connect_timeout=3,
                ping_interval=20,
                pending_size=64 * 1024 * 1024,
                error_cb=bus._on_error,
                disconnected_cb=bus._on_disconnected,
                reconnected_cb=bus._on_reconnected,
                closed_cb=bus._on_closed,
            )
        finally:
            waiting.cancel()
        return bus

    async def ensure(self, streams: Iterable[Stream] = (), consumers: Iterable[Consumer] = ()) -> None:
        """Creates what is missing, now and after each reconnect; waits while JetStream is not ready.

        Raises:
            TopologyError: one exists with other settings.

        """
        self._streams += streams
        self._consumers += consumers
        await self._declare()

    async def publish(self, events: Sequence[Event]) -> None:
        """Stores events of one stream, in order; returns when all are acknowledged.

        Raises:
            RetryableError: not acknowledged. Saying the same again is harmless: the stream keeps one.

        """
        await self.publish_messages(encode_all(events, source=self._service))

    async def publish_messages(self, messages: Sequence[Message]) -> None:
        """As `publish`, for what is encoded already."""
        if not messages:
            return
        if not self._client.is_connected:
            raise BusUnavailableError("NATS is not connected")
        try:
            await publishing.publish(self._client, messages)
        except (NoRespondersError, ServiceUnavailableError) as error:
            # The stream is gone, with the server's data perhaps.
            self._restore_soon()
            raise PublishError(f"no stream took {messages[0].subject!r}") from error
        except (NatsError, APIError, TimeoutError, OSError) as error:
            raise PublishError(f"{len(messages)} events were not acknowledged: {error!r}") from error

    async def hint(self, event: Event) -> None:
        """Says an event that nobody stores; it may be lost."""
        message = encode(event, source=self._service)
        # While NATS is away a few wait for it.
        if not self._client.is_closed and self._client.pending_data_size < MAX_WAITING_BYTES:
            self._client.send(publish_frame(message))
        else:
            log.warning("a hint was lost", action="hint_lost", subject=message.subject)

    def signal(self, subject: str) -> None:
        """Says that it is so, to whoever listens now; there is nothing in it to read."""
        if not self._client.is_closed:
            self._client.send(answer_frame(subject.encode(), b""))

    async def listen(self, subject: str, callback: Callback) -> Hearing:
        """Calls back with subject and payload of what is said on `subject`, until the hearing is stopped."""
        hearing = Hearing(self._client, subject, callback)
        self._hearings = [*(one for one in self._hearings if one.is_on), hearing]
        await hearing.start()
        return hearing

    async def subscribe(self, consumer: Consumer, *, slots: int = 2 * MAX_BATCH) -> Subscription:
        """Pulls from a durable consumer, never more than `slots` unsettled deliveries at a time.

        With those for two batches the next arrives while one is being handled.
        """
        subscription = Subscription(self._client, consumer, self._service, slots, self._restore_soon)
        self._subscriptions.append(subscription)
        await subscription.start()
        return subscription

    @property
    def connection(self) -> int | None:
        """The number of the present connection to NATS; None while there is none."""
        return self._client.connection

    async def ping(self, seconds: float) -> int:
        """Asks whether the connection lives; its number: what was subscribed to before holds on it.

        Raises:
            BusUnavailableError: no answer came within `seconds`.

        """
        try:
            return await self._client.round_trip(seconds)
        except (NatsError, TimeoutError, OSError) as error:
            raise BusUnavailableError(f"NATS did not answer: {error!r}") from error

    async def absent(self, subjects: Sequence[str], seconds: float) -> set[str]:
        """Those of the subjects that nobody listens to, as the server itself says.

        Raises:
            BusUnavailableError: the server said nothing within `seconds`.

        """
        try:
            return await presence.absent(self._client, subjects, seconds)
        except (NatsError, TimeoutError, OSError) as error:
            raise BusUnavailableError(f"NATS did not answer: {error!r}") from error

    async def check(self) -> None:
        """Raises while NATS is away."""
        if not self._client.is_connected:
            raise BusUnavailableError("NATS is not connected")

    async def close(self) -> None:
        """Stops every subscription, sends what is buffered, disconnects."""
        self._closing = True
        if self._restoring:
            self._restoring.cancel()
        for subscription in self._subscriptions:
            await subscription.stop()
        for hearing in self._hearings:
            await hearing.stop()
        with contextlib.suppress(NatsError, OSError, TimeoutError):
            if self._client.is_connected:
                await self._client.flush(timeout=2)
        with contextlib.suppress(NatsError, OSError):
            await self._client.close()

    async def _declare(self) -> None:
        patience = 0.1
        while True:
            try:
                await topology.declare(self._client, self._streams, self._consumers)
            except (NatsError, APIError, TimeoutError, OSError) as error:
                log.warning("JetStream is not ready", action="topology_waits", error=repr(error))
            else:
                return
            await asyncio.sleep(patience)
            patience = min(patience * 2, 2)

    async def _restore(self) -> None:
        await self._declare()
        for subscription in self._subscriptions:
            subscription.renew()

    def _restore_soon(self) -> None:
        if not self._closing and (self._restoring is None or self._restoring.done()):
            self._restoring = asyncio.create_task(self._restore(), name="restore")

    async def _on_error(self, error: Exception) -> None:
        # While NATS is away, which was told, each attempt to reconnect is one more.
        tell = log.warning if self._client.is_connected else log.debug
        tell("NATS reports an error", action="bus_error", error=str(error) or repr(error))

    async def _on_disconnected(self) -> None:
        if not self._closing:
            log.warning("NATS is away", action="bus_disconnected")

    async def _on_reconnected(self) -> None:
        log.info("NATS is back", action="bus_reconnected")
        self._restore_soon()

    async def _on_closed(self) -> None:
        if not self._closing:
            log.error("NATS refused the connection for good", action="bus_refused")
            if self.on_refused:
                self.on_refused(BusUnavailableError("NATS refused the connection for good"))


@contextlib.asynccontextmanager
async def connected(settings: ServiceSettings, lifetime: Lifetime, service: str) -> AsyncIterator[Bus]:
    """The bus of a service while the block runs; the service is ready only while it is connected."""
    seed = settings.nats_nkey_seed
    bus = await Bus.connect(
        settings.nats_url, service=service, seed=seed.get_secret_value() if seed else None
    )
    lifetime.checks["nats"] = bus.check
    bus.on_refused = lifetime.fail  # it would not reconnect any more
    try:
        yield bus
    finally:
        await bus.close()


async def _tell_about_waiting(url: str) -> None:
    while True:
        await asyncio.sleep(3)
        log.warning("waiting for NATS", action="bus_waits", url=nats_url_without_credentials(url))


def nats_url_without_credentials(url: str) -> str:
    return url.rsplit("@", 1)[-1]
