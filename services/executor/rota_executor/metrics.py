"""What the executor counts, at /metrics."""

from prometheus_client import Counter, Gauge, Histogram

ATTEMPTS = Counter("rota_executor_attempts", "Attempts that ended, by status.", ["status"])
ABANDONED = Counter(
    "rota_executor_abandoned_attempts", "Attempts that were given up: lease lost, or handed over.", ["reason"]
)
RUNNING = Gauge("rota_executor_running_attempts", "Attempts that run now.")
DURATION = Histogram(
    "rota_executor_duration_seconds",
    "From the claim of an attempt to its outcome.",
    buckets=(0.01, 0.05, 0.1, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600),
)
LATENESS = Histogram(
    "rota_executor_lateness_seconds",
    "From the due instant to the start of the first attempt.",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300),
)
