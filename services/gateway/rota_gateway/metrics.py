from prometheus_client import Gauge

UNACCOUNTED_INSTANTS = Gauge(
    "rota_ledger_unaccounted_instants",
    "Instants of the last day that were due and are in no row of the ledger, or the other way round",
)
UNACCOUNTED_JOBS = Gauge("rota_ledger_unaccounted_jobs", "Jobs with such instants")
BEHIND_JOBS = Gauge(
    "rota_ledger_behind_jobs", "Jobs that the ticker should have looked at more than a minute ago"
)
AUDITED_JOBS = Gauge("rota_ledger_audited_jobs", "Jobs that were looked at in the last audit of the ledger")
AUDIT_COMPLETED = Gauge(
    "rota_ledger_audit_completed_timestamp_seconds",
    "When the last audit of the ledger came to its end, in seconds since 1970; 0 before the first",
)
