"""The story of the notifier: write what is to be told, send it, say how it went."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from prometheus_client import Counter as Metric

from rota_bus import Bus
from rota_chassis import logs
from rota_contracts.codec import decode_outcomes, decode_payload
from rota_contracts.events import ApprovalRequested, BellRung, JobCompleted, JobPaused, NotificationSent
from rota_notifier import domain
from rota_notifier.channels import Sender
from rota_notifier.domain import Channel, Letter, Notification, Outcome
from rota_notifier.errors import TransportError
from rota_notifier.repository import MAX_SWEPT, DueDelivery, Repository

log = logs.logger(__name__)

DELIVERIES = Metric("rota_deliveries_total", "Attempts to deliver a notification", ["channel", "outcome"])
MAX_SENDING = 20
SEND_SECONDS = 60.0  # well within the lease of a delivery, so that no other process sends it meanwhile
# How far back a restart looks for outcomes whose event was lost; the stream keeps as much.
MEMORY = timedelta(days=3)
OVERLAP = timedelta(minutes=2)


class Teller:
    """The intent is a row before anything is sent; each channel retries on its own."""

    def __init__(
        self,
        repository: Repository,
        bus: Bus,
        senders: Mapping[Channel, Sender],
        *,
        max_attempts: int = 8,
    ) -> None:
        self._repository = repository
        self._bus = bus
        self._senders = senders
        self._max_attempts = max_attempts
        # By PostgreSQL's clock, which also says when an outcome was written.
        self._swept_until: datetime | None = None
        self.wake = asyncio.Event()

    async def on_job_completed(self, events: Sequence[JobCompleted]) -> int:
        """Writes the news of runs that ended; how many are new. Of a dry run nobody is told but who looks."""
        news = [event for event in events if event.final and event.trigger != "dry_run"]
        return await self._write([domain.run_notification(event) for event in news])

    async def on_approval_requested(self, events: Sequence[ApprovalRequested]) -> int:
        """Writes the news that somebody must decide; how many are new."""
        return await self._write([one for event in events if (one := domain.approval_notification(event))])

    async def on_job_paused(self, events: Sequence[JobPaused]) -> int:
        """Writes the news that a job was paused; how many are new."""
        return await self._write([domain.pause_notification(event) for event in events])

    async def _write(self, notifications: Sequence[Notification]) -> int:
        if not notifications:
            return 0
        targets = await self._repository.targets([one.job_id for one in notifications])
        configured = frozenset(self._senders)
        rows = [
            delivery
            for one in notifications
            for delivery in domain.deliveries(one, targets.get(one.job_id), configured)
        ]
        new = await self._repository.write(notifications, rows)
        for row in rows:
            if row.notification_id in new and row.state == "suppressed":
                log.warning(
                    row.reason or "",
                    action="suppressed",
                    channel=row.channel,
                    notification_id=str(row.notification_id),
                )
        if rows:
            self.wake.set()
        await self._ring([one for one in notifications if one.id in new])
        return len(new)

    async def _ring(self, notifications: Sequence[Notification]) -> None:
        """Hints that there is something in the bell."""
        for context_id, count in Counter(one.context_id for one in notifications).items():
            await self._bus.hint(BellRung(context_id=context_id, count=count))

    async def work(self) -> int:
        """Sends what is due and announces what ended; how many deliveries were tried."""
        due = await self._repository.claim_due(MAX_SENDING)
        await asyncio.gather(*(self._deliver(delivery) for delivery in due))
        announced = await self.announce()
        if due or announced:  # there may be more
            self.wake.set()
        return len(due)

    async def _deliver(self, delivery: DueDelivery) -> None:
        outcome = await self._tried(delivery)
        if not await self._repository.settle(delivery, outcome):
            log.warning(
                "an attempt to deliver ended too late to count",
                action="settled_elsewhere",
                channel=delivery.channel,
                notification_id=str(delivery.notification_id),
            )
            return
        DELIVERIES.labels(delivery.channel, outcome.state).inc()
        log.info(
            "an attempt to deliver ended",
            action=outcome.state,
            channel=delivery.channel,
            notification_id=str(delivery.notification_id),
            run_id=str(delivery.run_id),
            context_id=str(delivery.context_id),
            attempts=delivery.attempts,
            reason=outcome.reason,
        )

    async def _tried(self, delivery: DueDelivery) -> Outcome:
        """Whatever goes wrong is an outcome of this delivery and of no other."""
        try:
            async with asyncio.timeout(SEND_SECONDS):
                return await self._send(delivery)
        except Exception as error:  # noqa: BLE001  the edge of a channel: recorded as the reason
            return domain.after_failure(
                _reason(error),
                permanent=isinstance(error, TransportError) and error.permanent,
                attempts=delivery.attempts,
                max_attempts=self._max_attempts,
            )

    async def _send(self, delivery: DueDelivery) -> Outcome:
        sender = self._senders.get(delivery.channel)
        if sender is None:
            return Outcome("suppressed", f"the channel {delivery.channel} is not configured")
        if delivery.outcome is None and delivery.category != "message":
            return Outcome("failed", "the outcome of the run is gone")
        letter = Letter(
            notification_id=delivery.notification_id,
            category=delivery.category,
            title=delivery.title,
            body=delivery.body,
            target=delivery.target,
            job_name=delivery.job_name,
            event=None if delivery.category == "message" else _completed(delivery.outcome),
        )
        await sender.send(letter)
        return Outcome("delivered")

    async def announce(self) -> int:
        """Publishes notification.sent for deliveries that ended; how many."""
        ended = await self._repository.unannounced()
        if ended:
            await self._bus.publish(
                [
                    NotificationSent(
                        context_id=one.context_id,
                        notification_id=one.notification_id,
                        run_id=one.run_id,
                        category=one.category,
                        channel=one.channel,
                        outcome=one.state,
                    )
                    for one in ended
                ]
            )
            await self._repository.mark_announced(ended)
        return len(ended)

    async def tell_requested(self, since: datetime | None = None) -> int:
        """Writes what runs want told, lately where no more is said; how many are new."""
        found = await self._repository.requested(since or await self._repository.now() - OVERLAP)
        return await self._write(found)

    async def remind(self) -> int:
        """Reminds people once of what still waits when little time is left; of how many runs."""
        return await self._write([domain.reminder(run) for run in await self._repository.waiting()])

    async def sweep(self) -> int:
        """Tells of outcomes whose event never came, of requests whose hint did not, what waits; how many."""
        reminded = await self.remind()
        now = await self._repository.now()
        since = min(self._swept_until or now - MEMORY, now - OVERLAP)  # also when the clock was set back
        requested = await self.tell_requested(since)
        payloads = await self._repository.untold(since)
        outcomes, problems = decode_outcomes(payloads)
        for problem in problems:
            log.error("an outcome cannot be read", action="outcome_malformed", error=problem)
        told = await self.on_job_completed(outcomes)
        if not told and not requested and len(payloads) < MAX_SWEPT:
            self._swept_until = max(since, now - OVERLAP)
        return told + requested + reminded


def _reason(error: Exception) -> str:
    if isinstance(error, TransportError):
        return str(error)
    if isinstance(error, TimeoutError):
        return f"not delivered within {SEND_SECONDS:g} s"
    return f"it could not be sent ({type(error).__name__})"


def _completed(outcome: str | None) -> JobCompleted:
    event = decode_payload(JobCompleted.TYPE, (outcome or "").encode())
    assert isinstance(event, JobCompleted)
    return event
