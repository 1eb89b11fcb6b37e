"""The streams and their durable consumers, as data; the bus creates them."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True)
class Stream:
    name: str
    subjects: tuple[str, ...]
    max_age: timedelta
    # Deduplication memory: republishing the same fact within it is harmless.
    duplicate_window: timedelta = timedelta(hours=2)


@dataclass(frozen=True)
class Consumer:
    """A durable pull consumer with explicit acknowledgements."""

    durable: str
    stream: Stream
    filters: tuple[str, ...]
    # What a process had not answered when it froze or died comes again after this long.
    ack_wait: timedelta = timedelta(seconds=20)
    max_ack_pending: int = 20_000
    # A message that fails this often for a reason of its own is a dead letter.
    max_failures: int = 5


JOBS = Stream(
    "JOBS",
    ("job.due.*.*", "job.started.*.*", "job.completed.*.*", "job.closed.*.*", "job.paused.*.*"),
    max_age=timedelta(days=3),
)
RUNS = Stream(
    "RUNS",
    ("run.requested.*.*", "result.recorded.*.*", "approval.requested.*.*", "notification.sent.*"),
    max_age=timedelta(days=7),
)
DEAD_LETTERS = Stream("DEAD_LETTERS", ("dead.*",), max_age=timedelta(days=30))

# Answered as soon as PostgreSQL says whose the attempt is; from then on its row is what is not forgotten.
EXECUTOR = Consumer("executor", JOBS, ("job.due.*.*",), ack_wait=timedelta(seconds=3))
TICKER_COMPLETIONS = Consumer("ticker-completions", JOBS, ("job.completed.*.*",))
RESULTS = Consumer("results", JOBS, ("job.completed.*.*",))
NOTIFIER = Consumer("notifier", JOBS, ("job.completed.*.*",))
NOTIFIER_PAUSES = Consumer("notifier-pauses", JOBS, ("job.paused.*.*",))
NOTIFIER_APPROVALS = Consumer("notifier-approvals", RUNS, ("approval.requested.*.*",))

STREAMS = (JOBS, RUNS, DEAD_LETTERS)
