"""Wiring of the notifier: connections, news, the loop that sends."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from rota_bus import connected, serve
from rota_chassis import logs
from rota_chassis.lifecycle import Lifetime, health_served, periodically
from rota_contracts.streams import DEAD_LETTERS, JOBS, NOTIFIER, NOTIFIER_APPROVALS, NOTIFIER_PAUSES, RUNS
from rota_notifier.channels import Sender
from rota_notifier.channels.email import EmailSender
from rota_notifier.domain import Channel
from rota_notifier.handlers import Teller
from rota_notifier.repository import RETENTION, Repository
from rota_notifier.settings import NotifierSettings
from rota_store import is_transient, keep_retention, opened

log = logs.logger(__name__)


@contextlib.asynccontextmanager
async def wiring(settings: NotifierSettings, lifetime: Lifetime) -> AsyncIterator[None]:
    async with (
        health_served(settings, lifetime),
        opened(settings, lifetime, "notifier") as database,
        connected(settings, lifetime, "notifier") as bus,
    ):
        await bus.ensure([JOBS, RUNS, DEAD_LETTERS], [NOTIFIER, NOTIFIER_APPROVALS, NOTIFIER_PAUSES])
        teller = Teller(
            Repository(database), bus, configured_channels(settings), max_attempts=settings.max_attempts
        )

        async def requested(_subject: str, _payload: bytes) -> None:
            await teller.tell_requested()

        await bus.listen("notification.requested.*.*", requested)
        keep_retention(lifetime, database, RETENTION, days=settings.retention_days)
        completions = await bus.subscribe(NOTIFIER)
        approvals = await bus.subscribe(NOTIFIER_APPROVALS)
        pauses = await bus.subscribe(NOTIFIER_PAUSES)
        serving = [
            lifetime.spawn(
                serve(completions, teller.on_job_completed, is_transient=is_transient), "completions"
            ),
            lifetime.spawn(
                serve(approvals, teller.on_approval_requested, is_transient=is_transient), "approvals"
            ),
            lifetime.spawn(serve(pauses, teller.on_job_paused, is_transient=is_transient), "pauses"),
        ]
        sending = lifetime.spawn(send(teller, settings.sweep_seconds, lifetime.stopping), "sending")
        lifetime.spawn(
            periodically(
                teller.sweep, seconds=settings.sweep_seconds, stopping=lifetime.stopping, name="sweep"
            ),
            "sweep",
        )
        yield
        await completions.stop()
        await approvals.stop()
        await pauses.stop()
        await asyncio.gather(*serving)
        teller.wake.set()
        await sending


def configured_channels(settings: NotifierSettings) -> dict[Channel, Sender]:
    """The channels beside the bell that this installation can use."""
    senders: dict[Channel, Sender] = {}
    if settings.smtp_url:
        senders["email"] = EmailSender(settings.smtp_url.get_secret_value(), settings.email_from)
    else:
        log.warning(
            "email is not configured: set NOTIFIER_SMTP_URL", action="channel_missing", channel="email"
        )
    return senders


async def send(teller: Teller, seconds: float, stopping: asyncio.Event) -> None:
    """Sends whenever there is news, and every `seconds` what is due again."""
    while not stopping.is_set():
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(teller.wake.wait(), seconds)
        teller.wake.clear()
        try:
            await teller.work()
        except Exception as error:  # noqa: BLE001  the edge of the loop: the rows are tried again
            log.warning("sending stumbled", action="sending_failed", error=repr(error))
