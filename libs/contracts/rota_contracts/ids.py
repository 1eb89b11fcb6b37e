"""Identities that two processes must agree on without talking to each other."""

import functools
from datetime import UTC, datetime
from uuid import UUID, uuid5


def run_id_for(job_id: UUID, scheduled_for: datetime) -> UUID:
    """The id of the run of one scheduled occurrence: UUIDv5 of the job and its nominal instant.

    However many tickers plan the same instant, they arrive at the same id.

    Raises:
        ValueError: the instant has no time zone.

    """
    return uuid5(job_id, _text(scheduled_for))


def backfill_run_id_for(job_id: UUID, scheduled_for: datetime) -> UUID:
    """The id of the run that makes up for an instant of the past: however often it is asked for, one run.

    Raises:
        ValueError: the instant has no time zone.

    """
    return uuid5(job_id, f"backfill/{_text(scheduled_for)}")


def _text(instant: datetime) -> str:
    if instant.tzinfo is None:
        raise ValueError("scheduled_for has no time zone")
    return instant.astimezone(UTC).isoformat(timespec="microseconds")


@functools.lru_cache(maxsize=4096)  # who claims an attempt asks again when it ends
def session_id_for(run_id: UUID, attempt: int) -> UUID:
    """The id of the conversation of one attempt; overlapping runs never share one."""
    return uuid5(run_id, f"session/{attempt}")
