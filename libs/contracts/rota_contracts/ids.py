"""Identities that two processes must agree on without talking to each other."""

from datetime import UTC, datetime
from uuid import UUID, uuid5


def run_id_for(job_id: UUID, scheduled_for: datetime) -> UUID:
    """The id of the run of one scheduled occurrence: UUIDv5 of the job and its nominal instant.

    However many tickers plan the same instant, they arrive at the same id.

    Raises:
        ValueError: the instant has no time zone.

    """
    if scheduled_for.tzinfo is None:
        raise ValueError("scheduled_for has no time zone")
    instant = scheduled_for.astimezone(UTC).isoformat(timespec="microseconds")
    return uuid5(job_id, instant)


def session_id_for(run_id: UUID, attempt: int) -> UUID:
    """The id of the conversation of one attempt; overlapping runs never share one."""
    return uuid5(run_id, f"session/{attempt}")
