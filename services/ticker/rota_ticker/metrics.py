from prometheus_client import Counter, Histogram

OCCURRENCES = Counter(
    "rota_occurrences_total", "Occurrences entered into the ledger", ["trigger", "disposition"]
)
DISPATCHED = Counter("rota_dispatched_total", "job.due events that were acknowledged")
CLOSED = Counter("rota_closed_total", "Occurrences whose run ended")
LATENESS = Histogram(
    "rota_dispatch_lateness_seconds",
    "From the due instant to the moment that the ticker saw to it",
    buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1, 5, 30, 300),
)
