"""Jitter that is no accident: the same job and instant always get the same delay."""

from datetime import UTC, datetime, timedelta
from hashlib import sha256
from uuid import UUID


def effective(job_id: UUID, instant: datetime, jitter_seconds: int) -> datetime:
    """When the run of an instant really starts: up to `jitter_seconds` later, to the millisecond.

    Raises:
        ValueError: `instant` has no time zone, or the jitter is negative.

    """
    if instant.tzinfo is None:
        raise ValueError("the instant has no time zone")
    if jitter_seconds < 0:
        raise ValueError(f"a jitter of {jitter_seconds} s is negative")
    if jitter_seconds == 0:
        return instant
    text = f"{job_id} {instant.astimezone(UTC).isoformat(timespec='microseconds')}"
    number = int.from_bytes(sha256(text.encode()).digest()[:8])
    return instant + timedelta(milliseconds=number % (jitter_seconds * 1000 + 1))
